using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>Holds the newest snapshot of every instance of every resource, and tells of changes.</summary>
public class ResourceNotificationService : IDisposable
{
    readonly ConcurrentDictionary<string, ResourceEvent> _current = new();
    readonly ConcurrentDictionary<Channel<ResourceEvent>, bool> _watchers = new();
    readonly CancellationTokenSource _disposing = new();
    readonly Lock _gate = new();
    readonly IServiceProvider _services;
    readonly ResourceLoggerService _loggers;
    readonly WaitBehavior _defaultWaitBehavior;
    long _version;

    internal ResourceNotificationService(
        IServiceProvider services, ResourceLoggerService loggers, IOptions<ResourceNotificationServiceOptions> options) =>
        (_services, _loggers, _defaultWaitBehavior) = (services, loggers, options.Value.DefaultWaitBehavior);

    /// <summary>The newest snapshot by instance id, or by name where there is one instance.</summary>
    public bool TryGetCurrentState(string resourceId, [NotNullWhen(true)] out ResourceEvent? resourceEvent)
    {
        if (!_current.TryGetValue(resourceId, out resourceEvent)
            && _current.Values.Where(e => IsNamed(e, resourceId)).Take(2).ToArray() is [var only])
        {
            resourceEvent = only;
        }

        return resourceEvent is not null;
    }

    /// <summary>First the newest snapshot of everything, then each change.</summary>
    public async IAsyncEnumerable<ResourceEvent> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var changes = Channel.CreateUnbounded<ResourceEvent>();
        ResourceEvent[] known;
        lock (_gate)
        {
            _watchers[changes] = true;
            known = [.. _current.Values];
        }

        try
        {
            foreach (var e in known)
                yield return e;

            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposing.Token);
            await foreach (var e in changes.Reader.ReadAllAsync(either.Token))
            {
                yield return e;
            }
        }
        finally
        {
            _watchers.TryRemove(changes, out _);
        }
    }

    /// <summary>Changes the snapshot of one instance.</summary>
    public Task PublishUpdateAsync(IResource resource, string resourceId, Func<CustomResourceSnapshot, CustomResourceSnapshot> stateFactory)
    {
        lock (_gate)
        {
            var previous = _current.TryGetValue(resourceId, out var known) ? known.Snapshot : null;
            var next = stateFactory(previous ?? new CustomResourceSnapshot
            {
                ResourceType = resource.GetType().Name.Replace("Resource", "", StringComparison.Ordinal),
                Properties = [],
                // The dashboard shows nothing at all when one resource has none.
                CreationTimeStamp = _services.GetRequiredService<TimeProvider>().GetUtcNow().UtcDateTime,
            });
            next = next with
            {
                Commands = [.. resource.Annotations.OfType<ResourceCommandAnnotation>().Select(c => c.ToSnapshot(next, _services))],
                Version = ++_version,
            };
            var change = _current[resourceId] = new(resource, resourceId, next);
            foreach (var watcher in _watchers.Keys)
                watcher.Writer.TryWrite(change);
        }

        return Task.CompletedTask;
    }

    /// <summary>Changes the snapshots of all instances.</summary>
    public async Task PublishUpdateAsync(IResource resource, Func<CustomResourceSnapshot, CustomResourceSnapshot> stateFactory)
    {
        foreach (var id in resource.GetInstanceIds())
            await PublishUpdateAsync(resource, id, stateFactory);
    }

    public Task WaitForResourceAsync(string resourceName, string? targetState = null, CancellationToken cancellationToken = default) =>
        WaitForResourceAsync(resourceName, [targetState ?? KnownResourceStates.Running], cancellationToken);

    /// <returns>The state that was reached.</returns>
    public async Task<string> WaitForResourceAsync(
        string resourceName, IEnumerable<string> targetStates, CancellationToken cancellationToken = default)
    {
        var reached = await WaitAsync(
            resourceName,
            e => targetStates.Contains(e.Snapshot.State?.Text),
            $"reach one of the target states: [{string.Join(", ", targetStates)}]",
            cancellationToken);
        return reached.Snapshot.State!.Text;
    }

    public Task<ResourceEvent> WaitForResourceAsync(
        string resourceName, Func<ResourceEvent, bool> predicate, CancellationToken cancellationToken = default) =>
        WaitAsync(resourceName, predicate, "meet the predicate condition", cancellationToken);

    public Task<ResourceEvent> WaitForResourceHealthyAsync(string resourceName, CancellationToken cancellationToken = default) =>
        WaitForResourceHealthyAsync(resourceName, _defaultWaitBehavior, cancellationToken);

    /// <exception cref="DistributedApplicationException">There is no such resource, or it ended and <paramref name="waitBehavior"/> says stop.</exception>
    public async Task<ResourceEvent> WaitForResourceHealthyAsync(
        string resourceName, WaitBehavior waitBehavior, CancellationToken cancellationToken = default)
    {
        if (waitBehavior == WaitBehavior.StopOnResourceUnavailable
            && !_services.GetRequiredService<DistributedApplicationModel>().Resources.TryGetByName(resourceName, out _))
        {
            throw new DistributedApplicationException(
                $"Stopped waiting for resource '{resourceName}' to become healthy because it does not exist in the application model.");
        }

        var reached = await WaitAsync(
            resourceName,
            e => e.Snapshot.HealthStatus == HealthStatus.Healthy
                || (waitBehavior == WaitBehavior.StopOnResourceUnavailable && IsUnavailable(e.Snapshot)),
            "become healthy",
            cancellationToken);
        return reached.Snapshot.HealthStatus == HealthStatus.Healthy
            ? await WaitUntilReadyAsync(resourceName, reached.ResourceId, cancellationToken)
            : throw new DistributedApplicationException(
                $"Stopped waiting for resource '{resourceName}' to become healthy because it failed to start.");
    }

    /// <summary>Waits for everything that the resource was told to wait for.</summary>
    /// <exception cref="DistributedApplicationException">A dependency ended, or completed with another exit code than expected.</exception>
    public async Task WaitForDependenciesAsync(IResource resource, CancellationToken cancellationToken)
    {
        var waits = resource.Annotations.OfType<WaitAnnotation>().Where(w => w.Resource is not IResourceWithoutLifetime).ToArray();
        if (waits.Length > 0)
        {
            await PublishUpdateAsync(resource, s =>
                s.State?.Text is null or "NotStarted" or "Starting" ? s with { State = KnownResourceStates.Waiting } : s);
            await Task.WhenAll(waits.SelectMany(
                wait => wait.Resource.GetInstanceIds().Select(id => WaitForInstanceAsync(resource, wait, id, cancellationToken))));
        }
    }

    public void Dispose()
    {
        _disposing.Cancel();
        GC.SuppressFinalize(this);
    }

    static bool IsNamed(ResourceEvent e, string name) => string.Equals(e.Resource.Name, name, StringComparison.OrdinalIgnoreCase);

    static bool IsUnavailable(CustomResourceSnapshot snapshot) =>
        snapshot.State?.Text is { } state
            && (KnownResourceStates.TerminalStates.Contains(state) || state == KnownResourceStates.RuntimeUnhealthy);

    async Task WaitForInstanceAsync(IResource waiter, WaitAnnotation wait, string id, CancellationToken cancellationToken)
    {
        var dependency = wait.Resource;
        var label = dependency.GetInstanceIds().Length > 1 ? id : dependency.Name;
        var logger = _loggers.GetLogger(waiter);
        DistributedApplicationException Stopped(string because) =>
            new($"Resource '{waiter.Name}' stopped waiting for dependency resource '{label}' because it {because}.");

        if (wait.WaitType == WaitType.WaitForCompletion)
        {
            logger.WaitingForCompletion(label);
            var ended = (await WaitAsync(
                dependency.Name,
                e => e.ResourceId == id && KnownResourceStates.TerminalStates.Contains(e.Snapshot.State?.Text),
                "reach a terminal state",
                cancellationToken)).Snapshot;
            if (ended.State!.Text == KnownResourceStates.FailedToStart) throw Stopped("failed to start");

            if (ended.ExitCode is { } code && code != wait.ExitCode)
                throw Stopped($"entered the '{ended.State.Text}' state with exit code '{code}', expected '{wait.ExitCode}'");
        }
        else
        {
            logger.WaitingForState(label, KnownResourceStates.Running);
            var stop = (wait.WaitBehavior ?? _defaultWaitBehavior) == WaitBehavior.StopOnResourceUnavailable;
            var running = await WaitAsync(
                dependency.Name,
                e => e.ResourceId == id && (e.Snapshot.State?.Text == KnownResourceStates.Running || (stop && IsUnavailable(e.Snapshot))),
                "reach the 'Running' state",
                cancellationToken);
            if (running.Snapshot.State!.Text != KnownResourceStates.Running)
            {
                throw Stopped(running.Snapshot.State.Text == KnownResourceStates.FailedToStart
                    ? "failed to start" : $"entered the '{running.Snapshot.State.Text}' state prematurely");
            }

            if (wait.WaitType == WaitType.WaitUntilHealthy)
            {
                logger.WaitingForHealth(label);
                await WaitAsync(
                    dependency.Name,
                    e => e.ResourceId == id && e.Snapshot.HealthStatus == HealthStatus.Healthy,
                    "become healthy",
                    cancellationToken);
                await WaitUntilReadyAsync(dependency.Name, id, cancellationToken);
            }
        }

        logger.FinishedWaiting(label);
    }

    async Task<ResourceEvent> WaitUntilReadyAsync(string name, string id, CancellationToken cancellationToken)
    {
        var ready = await WaitAsync(
            name,
            e => e.ResourceId == id && e.Snapshot.ResourceReadyEvent is not null,
            "execute the resource ready event",
            cancellationToken);
        await ready.Snapshot.ResourceReadyEvent!.WaitAsync(cancellationToken);
        return ready;
    }

    async Task<ResourceEvent> WaitAsync(
        string name, Func<ResourceEvent, bool> predicate, string goal, CancellationToken cancellationToken)
    {
        ResourceEvent? last = null;
        try
        {
            await foreach (var e in WatchAsync(cancellationToken))
            {
                if (IsNamed(e, name) && predicate(last = e)) return e;
            }
        }
        catch (OperationCanceledException ex)
        {
            var state = last is null ? "It was never seen" : $"Its state is '{last.Snapshot.State?.Text}', its health '{last.Snapshot.HealthStatus}'";
            throw new OperationCanceledException(
                $"Resource '{name}' failed to {goal} before the operation was cancelled. {state}.", ex, ex.CancellationToken);
        }

        throw new OperationCanceledException($"Resource '{name}' failed to {goal}: the application has ended.");
    }
}

/// <summary>A snapshot and whose it is.</summary>
public class ResourceEvent(IResource resource, string resourceId, CustomResourceSnapshot snapshot)
{
    public IResource Resource { get; } = resource;
    public string ResourceId { get; } = resourceId;
    public CustomResourceSnapshot Snapshot { get; } = snapshot;
}

public sealed class ResourceNotificationServiceOptions
{
    public WaitBehavior DefaultWaitBehavior { get; set; } = WaitBehavior.StopOnResourceUnavailable;
}
