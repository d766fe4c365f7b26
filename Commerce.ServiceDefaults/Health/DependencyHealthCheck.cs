using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Commerce.ServiceDefaults;

/// <summary>
/// Probes a dependency at most once a second for any number of callers. If the dependency does not answer, the process is degraded
/// and not unhealthy, because most of it still works and a restart would not help.
/// </summary>
sealed class DependencyHealthCheck(Func<CancellationToken, Task> probe, TimeProvider clock) : IHealthCheck
{
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    readonly SharedValue<Exception?> _fault = new(TimeSpan.FromSeconds(1), clock);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        await _fault.GetAsync(ProbeAsync).WaitAsync(cancellationToken) is { } fault ? new(context.Registration.FailureStatus, exception: fault) : HealthCheckResult.Healthy();

    async Task<Exception?> ProbeAsync()
    {
        using var deadline = new CancellationTokenSource(Deadline, clock);
        try
        {
            // Some client libraries ignore the token.
            await probe(deadline.Token).WaitAsync(Deadline, clock);
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }
}

/// <summary>Registers the checks of <c>/health/dependencies</c>.</summary>
public static class DependencyHealthExtensions
{
    /// <summary>
    /// Adds the check of a dependency under its name. <paramref name="probe"/> throws if the dependency does not answer.
    /// </summary>
    public static void AddDependencyCheck(this IServiceCollection services, string name, Func<IServiceProvider, CancellationToken, Task> probe)
    {
        // The check is a singleton, because it caches its result. The services of a probe are disposed of before the next one.
        services.AddKeyedSingleton(name, (provider, _) => new DependencyHealthCheck(token => probe(provider, token), provider.GetRequiredService<TimeProvider>()));
        services.AddHealthChecks().Add(new HealthCheckRegistration(
            name,
            provider => provider.GetRequiredKeyedService<DependencyHealthCheck>(name),
            HealthStatus.Degraded,
            [HealthTags.Dependency]));
    }
}
