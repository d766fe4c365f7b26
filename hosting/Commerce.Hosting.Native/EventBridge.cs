using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Commerce.Hosting.Native;

/// <summary>
/// Forwards events and states of a process to the subscribers of its container, and to the container's children (databases). For a
/// container, Aspire does the same.
/// </summary>
sealed partial class EventBridge(
    IReadOnlyList<NativeServerResource> servers, DistributedApplicationModel model, IDistributedApplicationEventing eventing,
    ResourceNotificationService notifications, ResourceLoggerService loggers, IServiceProvider services, IHostApplicationLifetime lifetime)
{
    public void Start()
    {
        foreach (var server in servers)
        {
            eventing.Subscribe<ConnectionStringAvailableEvent>(server, (_, cancellationToken) => PassOnConnectionStringAsync(server, cancellationToken));
            eventing.Subscribe<ResourceReadyEvent>(server, (_, cancellationToken) => PassOnReadyAsync(server, cancellationToken));
        }
        _ = Task.Run(FollowStatesAsync);
    }

    IEnumerable<IResourceWithParent> ChildrenOf(NativeServerResource server) =>
        model.Resources.OfType<IResourceWithParent>().Where(child => child.Parent == server.Container);

    // The container itself gets no event. Aspire would publish a state for it, and the orchestrator's watchers fail if two resources
    // have the same name.
    async Task PassOnConnectionStringAsync(NativeServerResource server, CancellationToken cancellationToken)
    {
        foreach (var child in ChildrenOf(server).OfType<IResourceWithConnectionString>())
            await eventing.PublishAsync(new ConnectionStringAvailableEvent(child, services), cancellationToken);
    }

    async Task PassOnReadyAsync(NativeServerResource server, CancellationToken cancellationToken)
    {
        try
        {
            await eventing.PublishAsync(new ResourceReadyEvent(server.Container, services), cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // An integration that creates databases here has no connection string, so it fails. The recipe has created the databases.
            var logger = loggers.GetLogger(server);
            LogReadyHandlerFailed(logger, e);
        }
    }

    async Task FollowStatesAsync()
    {
        try
        {
            await foreach (var change in notifications.WatchAsync(lifetime.ApplicationStopping))
                if (change.Resource is NativeServerResource server)
                    foreach (var child in ChildrenOf(server))
                        await notifications.PublishUpdateAsync(child, seen => seen.State?.Text == change.Snapshot.State?.Text ? seen : seen with
                        {
                            State = change.Snapshot.State,
                            StartTimeStamp = change.Snapshot.StartTimeStamp,
                            StopTimeStamp = change.Snapshot.StopTimeStamp,
                        });
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // The application is ending.
        }
        catch (Exception e)
        {
            // Otherwise a resource that waits for a child would wait forever.
            foreach (var server in servers)
            {
                var logger = loggers.GetLogger(server);
                LogFollowingEnded(logger, e);
            }
            lifetime.StopApplication();
        }
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "Server states are no longer forwarded")]
    static partial void LogFollowingEnded(ILogger logger, Exception exception);

    [LoggerMessage(Level = LogLevel.Debug, Message = "A ResourceReadyEvent handler failed")]
    static partial void LogReadyHandlerFailed(ILogger logger, Exception exception);
}
