using System.Collections.Concurrent;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Health;

/// <summary>Asks the health checks of what runs, and tells when a resource is ready.</summary>
internal sealed class HealthMonitor(
    ResourceNotificationService notifications,
    HealthCheckService checks,
    IDistributedApplicationEventing eventing,
    IServiceProvider services,
    TimeProvider clock) : BackgroundService
{
    static readonly TimeSpan WhenHealthy = TimeSpan.FromSeconds(5);
    static readonly TimeSpan WhenNot = TimeSpan.FromMilliseconds(250);
    readonly ConcurrentDictionary<IResource, Monitored> _monitored = new();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await foreach (var change in notifications.WatchAsync(stoppingToken))
            {
                var resource = change.Resource;
                if (change.Snapshot.State?.Text == KnownResourceStates.Running)
                {
                    // A health check that hangs for one resource must not delay the others: one loop for each.
                    var monitored = _monitored.GetOrAdd(resource, _ => new(CancellationTokenSource.CreateLinkedTokenSource(stoppingToken)));
                    if (monitored.Instances.Add(change.ResourceId))
                    {
                        monitored.Changed.Release();
                        if (monitored.Instances.Count == 1) _ = MonitorAsync(resource, monitored);
                    }
                }
                else if (_monitored.TryGetValue(resource, out var monitored) && monitored.Instances.Remove(change.ResourceId)
                    && monitored.Instances.Count == 0 && _monitored.TryRemove(resource, out _))
                {
                    await monitored.Stop.CancelAsync();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The application ends.
        }
    }

    async Task MonitorAsync(IResource resource, Monitored monitored)
    {
        var keys = resource.GetHealthCheckKeys();
        var stop = monitored.Stop.Token;
        var ready = new Lazy<Task>(() => eventing.PublishAsync(new ResourceReadyEvent(resource, services), stop));
        try
        {
            while (true)
            {
                var report = await CheckAsync(keys, stop);
                var healthy = report.Status == HealthStatus.Healthy;
                var ranAt = clock.GetUtcNow().UtcDateTime;
                var handled = healthy ? ready.Value : null;
                await notifications.PublishUpdateAsync(resource, s => s.State?.Text != KnownResourceStates.Running ? s : s with
                {
                    HealthReports = [.. report.Entries.Select(e =>
                        new HealthReportSnapshot(e.Key, e.Value.Status, e.Value.Description, e.Value.Exception?.Message) { LastRunAt = ranAt })],
                    ResourceReadyEvent = handled ?? s.ResourceReadyEvent,
                });
                await monitored.Changed.WaitAsync(keys.Length == 0 ? Timeout.InfiniteTimeSpan : healthy ? WhenHealthy : WhenNot, stop);
            }
        }
        catch (OperationCanceledException)
        {
            // It does not run any more.
        }
    }

    async Task<HealthReport> CheckAsync(string[] keys, CancellationToken cancellationToken)
    {
        var report = await checks.CheckHealthAsync(r => keys.Contains(r.Name), cancellationToken);
        var entries = new Dictionary<string, HealthReportEntry>(report.Entries);
        foreach (var unknown in keys.Except(report.Entries.Keys))
            entries[unknown] = new(HealthStatus.Unhealthy, $"There is no health check '{unknown}'.", TimeSpan.Zero, null, null);

        return new(entries, report.TotalDuration);
    }

    sealed class Monitored(CancellationTokenSource stop)
    {
        public CancellationTokenSource Stop { get; } = stop;
        public HashSet<string> Instances { get; } = [];
        /// <summary>Released when an instance begins to run, so that it is asked at once.</summary>
        public SemaphoreSlim Changed { get; } = new(0);
    }
}
