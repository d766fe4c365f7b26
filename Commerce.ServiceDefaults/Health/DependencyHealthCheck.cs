using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Commerce.ServiceDefaults;

/// <summary>
/// Asks a dependency whether it answers, at most once a second however many probe. Where it does not answer the process is degraded: most of it goes on, and to restart it or send its work elsewhere would help nobody.
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
            // Not every client stops when it is told to.
            await probe(deadline.Token).WaitAsync(Deadline, clock);
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }
}

/// <summary>Registers what <c>/health/dependencies</c> tells of.</summary>
public static class DependencyHealthExtensions
{
    /// <summary>Adds a dependency under its name. <paramref name="probe"/> fails where it does not answer.</summary>
    public static void AddDependencyCheck(this IServiceCollection services, string name, Func<IServiceProvider, CancellationToken, Task> probe)
    {
        // One for the process, with the services of the process: those of a probe are gone when the next one comes.
        services.AddKeyedSingleton(name, (provider, _) => new DependencyHealthCheck(token => probe(provider, token), provider.GetRequiredService<TimeProvider>()));
        services.AddHealthChecks().Add(new HealthCheckRegistration(
            name,
            provider => provider.GetRequiredKeyedService<DependencyHealthCheck>(name),
            HealthStatus.Degraded,
            [HealthTags.Dependency]));
    }
}
