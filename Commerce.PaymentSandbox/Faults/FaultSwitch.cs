namespace Commerce.PaymentSandbox.Faults;

/// <summary>An active fault and its remaining calls.</summary>
sealed class FaultSwitch(Fault fault)
{
    readonly Lock _lock = new();
    // The random numbers are for tests, not for security. The seed makes a run repeatable.
    readonly Random _random = fault.Seed is { } seed ? new(seed) : new();
    int? _left = fault.Count;

    /// <summary>Returns the fault if it affects this call, otherwise null.</summary>
    public Fault? Take(Operation operation)
    {
        if (fault.Operation is { } only && only != operation) return null;
        lock (_lock)
        {
            if (_left is 0 || (fault.Probability < 1 && _random.NextDouble() >= fault.Probability)) return null;
            _left--;
            return fault;
        }
    }
}
