using Commerce.Core.Reconciliation;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Reconciliation;

/// <summary>Runs all reconcilers at once, for administrators who do not want to wait for the Workers.</summary>
static class ReconciliationEndpoints
{
    public static void MapReconciliation(this RouteGroupBuilder administration) =>
        administration.MapPost("/reconcile", RunAsync).WithName("Reconcile").WithSummary("Runs all reconcilers now.");

    static async Task<Ok<IReadOnlyList<Reconciled>>> RunAsync(IEnumerable<IReconciler> reconcilers, CancellationToken cancellationToken)
    {
        var done = new List<Reconciled>();
        foreach (var reconciler in reconcilers) done.Add(new(reconciler.Name, await reconciler.RunAsync(cancellationToken)));
        return TypedResults.Ok<IReadOnlyList<Reconciled>>(done);
    }
}

/// <summary>The number of items that a reconciler settled.</summary>
sealed record Reconciled(string Name, int Settled);
