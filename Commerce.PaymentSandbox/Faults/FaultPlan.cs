namespace Commerce.PaymentSandbox.Faults;

/// <summary>The faults that are on for everybody.</summary>
sealed class FaultPlan
{
    volatile IReadOnlyList<FaultSwitch> _switches = [];

    /// <summary>These, and no others.</summary>
    public void Set(IEnumerable<Fault> faults) => _switches = [.. faults.Select(f => new FaultSwitch(f))];

    /// <summary>The first that hits this call.</summary>
    public Fault? Take(Operation operation)
    {
        foreach (var candidate in _switches)
            if (candidate.Take(operation) is { } fault)
                return fault;
        return null;
    }
}
