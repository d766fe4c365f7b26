namespace Commerce.PaymentSandbox.Faults;

/// <summary>The active faults for all calls.</summary>
sealed class FaultPlan
{
    volatile IReadOnlyList<FaultSwitch> _switches = [];

    /// <summary>Replaces the active faults.</summary>
    public void Set(IEnumerable<Fault> faults) => _switches = [.. faults.Select(f => new FaultSwitch(f))];

    /// <summary>Finds the first fault that affects this call.</summary>
    public Fault? Take(Operation operation)
    {
        foreach (var candidate in _switches)
            if (candidate.Take(operation) is { } fault)
                return fault;
        return null;
    }
}
