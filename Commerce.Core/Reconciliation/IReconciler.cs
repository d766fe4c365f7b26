namespace Commerce.Core.Reconciliation;

/// <summary>Finds what was left half done and brings it to its end. Several may run at once, in several processes.</summary>
public interface IReconciler
{
    /// <summary>What it looks after, as administrators see it.</summary>
    string Name { get; }

    /// <summary>Looks at what is due now, and returns how much it brought to an end.</summary>
    Task<int> RunAsync(CancellationToken cancellationToken);
}
