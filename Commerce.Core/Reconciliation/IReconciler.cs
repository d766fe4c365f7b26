namespace Commerce.Core.Reconciliation;

/// <summary>Finds and finishes incomplete work. Several instances may run in several processes.</summary>
public interface IReconciler
{
    /// <summary>The name for administrators.</summary>
    string Name { get; }

    /// <summary>Settles everything that is due. Returns the number of settled items.</summary>
    Task<int> RunAsync(CancellationToken cancellationToken);
}
