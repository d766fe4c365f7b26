using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Commerce.ServiceDefaults;

/// <summary>
/// Asks a dependency whether it answers, at most once a second however many ask: whoever comes while it is being asked waits for the same answer. Where
/// it does not answer the process is degraded: most of it goes on, and to restart it or send its work elsewhere would help nobody.
/// </summary>
sealed class DependencyHealthCheck(Func<CancellationToken, Task> ask, TimeProvider clock) : IHealthCheck
{
    static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    readonly Lock _lock = new();
    Task<Exception?>? _answer;
    long _answeredAt;

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        Task<Exception?> answer;
        lock (_lock)
        {
            if (_answer is null || (_answer.IsCompleted && clock.GetElapsedTime(Volatile.Read(ref _answeredAt)) >= Fresh)) _answer = Task.Run(AskAsync, CancellationToken.None);
            answer = _answer;
        }

        return await answer.WaitAsync(cancellationToken) is { } fault ? new(context.Registration.FailureStatus, exception: fault) : HealthCheckResult.Healthy();
    }

    async Task<Exception?> AskAsync()
    {
        using var deadline = new CancellationTokenSource(Deadline, clock);
        try
        {
            // Not every client stops when it is told to.
            await ask(deadline.Token).WaitAsync(Deadline, clock);
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
        finally
        {
            Volatile.Write(ref _answeredAt, clock.GetTimestamp());
        }
    }
}

/// <summary>Registers what <c>/health/dependencies</c> tells of.</summary>
static class DependencyHealthExtensions
{
    /// <summary>Adds a dependency under its name. <paramref name="ask"/> fails where it does not answer.</summary>
    public static void AddDependencyCheck(this IServiceCollection services, string name, Func<IServiceProvider, CancellationToken, Task> ask)
    {
        DependencyHealthCheck? check = null;
        services.AddHealthChecks().Add(new HealthCheckRegistration(
            name,
            provider => check ??= new DependencyHealthCheck(token => ask(provider, token), provider.GetRequiredService<TimeProvider>()),
            HealthStatus.Degraded,
            [HealthTags.Dependency]));
    }
}
