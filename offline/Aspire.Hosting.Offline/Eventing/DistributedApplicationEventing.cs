using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Eventing;

public interface IDistributedApplicationEvent;

public interface IDistributedApplicationResourceEvent : IDistributedApplicationEvent
{
    IResource Resource { get; }
}

public interface IDistributedApplicationEventing
{
    DistributedApplicationEventSubscription Subscribe<T>(Func<T, CancellationToken, Task> callback) where T : IDistributedApplicationEvent;

    DistributedApplicationEventSubscription Subscribe<T>(IResource resource, Func<T, CancellationToken, Task> callback)
        where T : IDistributedApplicationResourceEvent;

    void Unsubscribe(DistributedApplicationEventSubscription subscription);

    /// <summary>Calls the subscribers one after the other, in the order in which they subscribed.</summary>
    Task PublishAsync<T>(T @event, CancellationToken cancellationToken = default) where T : IDistributedApplicationEvent;
}

public class DistributedApplicationEventing : IDistributedApplicationEventing
{
    readonly Lock _gate = new();
    readonly List<(Type Event, DistributedApplicationEventSubscription Subscription)> _subscriptions = [];

    public DistributedApplicationEventSubscription Subscribe<T>(Func<T, CancellationToken, Task> callback)
        where T : IDistributedApplicationEvent
    {
        var subscription = new DistributedApplicationEventSubscription((e, ct) => callback((T)e, ct));
        lock (_gate)
        {
            _subscriptions.Add((typeof(T), subscription));
        }

        return subscription;
    }

    public DistributedApplicationEventSubscription Subscribe<T>(IResource resource, Func<T, CancellationToken, Task> callback)
        where T : IDistributedApplicationResourceEvent =>
        Subscribe<T>((e, ct) => ReferenceEquals(e.Resource, resource) ? callback(e, ct) : Task.CompletedTask);

    public void Unsubscribe(DistributedApplicationEventSubscription subscription)
    {
        lock (_gate)
        {
            _subscriptions.RemoveAll(s => ReferenceEquals(s.Subscription, subscription));
        }
    }

    public async Task PublishAsync<T>(T @event, CancellationToken cancellationToken = default) where T : IDistributedApplicationEvent
    {
        DistributedApplicationEventSubscription[] subscribers;
        lock (_gate)
        {
            subscribers = [.. _subscriptions.Where(s => s.Event == typeof(T)).Select(s => s.Subscription)];
        }

        foreach (var subscriber in subscribers)
            await subscriber.Callback(@event, cancellationToken);
    }
}

public class DistributedApplicationEventSubscription(Func<IDistributedApplicationEvent, CancellationToken, Task> callback)
{
    public Func<IDistributedApplicationEvent, CancellationToken, Task> Callback { get; } = callback;
}
