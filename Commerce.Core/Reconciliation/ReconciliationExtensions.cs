namespace Commerce.Core.Reconciliation;

/// <summary>Registers reconcilers.</summary>
static class ReconciliationExtensions
{
    /// <summary>Adds a reconciler under its own type and as <see cref="IReconciler"/>.</summary>
    public static void AddReconciler<T>(this IServiceCollection services) where T : class, IReconciler
    {
        services.AddSingleton<T>();
        services.AddSingleton<IReconciler>(provider => provider.GetRequiredService<T>());
    }
}
