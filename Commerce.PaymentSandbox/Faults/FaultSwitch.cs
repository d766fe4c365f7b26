namespace Commerce.PaymentSandbox.Faults;

/// <summary>A fault that is on, with the calls that it still hits.</summary>
sealed class FaultSwitch(Fault fault)
{
    readonly Lock _lock = new();
    // Chance, not a secret; the seed makes a run repeatable.
    readonly Random _random = fault.Seed is { } seed ? new(seed) : new();
    int? _left = fault.Count;

    /// <summary>The fault where it hits this call; null where it does not.</summary>
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
