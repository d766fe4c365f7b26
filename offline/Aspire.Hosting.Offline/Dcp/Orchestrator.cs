using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard;
using Aspire.Hosting.Eventing;
using Aspire.Hosting.Servers;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Dcp;

/// <summary>Starts what the model holds in the order that the waits say, executes start and stop, and ends everything.</summary>
internal sealed class Orchestrator(
    DistributedApplicationOptions options,
    DistributedApplicationModel model,
    DcpClient dcp,
    EndpointAllocator endpoints,
    LaunchSpecFactory launches,
    InstanceWatcher watcher,
    DashboardHost dashboard,
    DataFolder data,
    ResourceNotificationService notifications,
    ResourceLoggerService loggers,
    IDistributedApplicationEventing eventing,
    DistributedApplicationExecutionContext execution,
    IServiceProvider services,
    IHostEnvironment host,
    IHostApplicationLifetime lifetime,
    ILoggerFactory hostLoggers) : IHostedService, IAsyncDisposable
{
    readonly Dictionary<string, ResourceInstance> _instances = [];
    readonly CancellationTokenSource _stopping = new();
    readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    Task _watching = Task.CompletedTask;
    bool _stopped;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await StartCoreAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // Told to end while starting: an ordinary end.
        }
    }

    async Task StartCoreAsync(CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
        data.BeginRun();
        eventing.Subscribe<BeforeResourceStartedEvent>(WaitForDependenciesAsync);
        if (options.EnableResourceLogging) loggers.LineWritten += ForwardLine;

        await PublishInitialStatesAsync();
        await dcp.StartAsync(data.Sockets, either.Token);
        _watching = watcher.RunAsync(_instances, _stopping.Token);
        await dashboard.StartAsync(either.Token);

        await endpoints.AllocateAsync(model.Resources.OfType<IResourceWithEndpoints>(), either.Token);
        foreach (var resource in model.Resources)
        {
            await PublishEndpointsAsync(resource, either.Token);
            _ = InitializeAsync(resource);
        }

        _ready.TrySetResult();

        await Task.WhenAll(_instances.Values.GroupBy(i => i.Resource)
            .Where(g => !g.Key.HasAnnotationOfType<ExplicitStartupAnnotation>())
            .Select(g => LaunchAsync(g.Key, [.. g], either.Token)));
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_stopped) return;

        _stopped = true;
        _ready.TrySetCanceled(CancellationToken.None);
        await _stopping.CancelAsync();
        await dashboard.StopAsync();
        try
        {
            await dcp.StopAsync();
            await _watching;
        }
        finally
        {
            data.Dispose();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        foreach (var instance in _instances.Values)
            instance.Dispose();

        _stopping.Dispose();
    }

    static bool HasProcess(IResource resource) =>
        resource is ProjectResource or ExecutableResource || resource.HasAnnotationOfType<NativeServerAnnotation>();

    static string NewId(IResource resource) =>
        $"{resource.Name}-{RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyz0123456789", 8)}".ToLowerInvariant();

    async Task PublishInitialStatesAsync()
    {
        foreach (var resource in model.Resources.Where(HasProcess))
        {
            string[] ids = [.. Enumerable.Range(0, resource.GetReplicaCount()).Select(_ => NewId(resource))];
            resource.Annotations.Add(new InstanceIdsAnnotation(ids));
            Array.ForEach(ids, id => _instances[id] = new(resource, id));
            AddCommands(resource);
        }

        foreach (var resource in model.Resources)
        {
            var parent = (resource as IResourceWithParent)?.Parent
                ?? resource.Annotations.OfType<ResourceRelationshipAnnotation>().LastOrDefault(r => r.Type == "Parent")?.Resource;
            await notifications.PublishUpdateAsync(resource, s => (parent is null ? s
                : s.With("resource.parentName", parent.GetInstanceIds()[0])) with
            {
                State = HasProcess(resource) ? KnownResourceStates.NotStarted : s.State,
                HealthReports = [.. resource.GetHealthCheckKeys().Select(key => new HealthReportSnapshot(key, null, null, null))],
                Relationships = [.. resource.Annotations.OfType<ResourceRelationshipAnnotation>().Where(r => r.Type != "Parent")
                    .Select(r => new RelationshipSnapshot(r.Resource.Name, r.Type)).Distinct()],
            });
        }
    }

    async Task PublishEndpointsAsync(IResource resource, CancellationToken cancellationToken)
    {
        var urls = new List<ResourceUrlAnnotation>();
        if (resource is IResourceWithEndpoints owner)
            urls.AddRange(owner.GetEndpoints().Where(e => e.IsAllocated).Select(e => new ResourceUrlAnnotation { Url = e.Url, Endpoint = e }));

        var logger = loggers.GetLogger(resource);
        var context = new ResourceUrlsCallbackContext(execution, resource, urls, cancellationToken) { Logger = logger };
        try
        {
            foreach (var callback in resource.Annotations.OfType<ResourceUrlsCallbackAnnotation>())
                await callback.Callback(context);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            loggers.GetLogger(resource).SubscriberFailed(e, resource.Name);
        }

        await notifications.PublishUpdateAsync(resource, s => s with
        {
            Urls = [.. urls.Select(u => new UrlSnapshot(
                u.Endpoint?.EndpointName,
                u.Endpoint is not null && u.Url.StartsWith('/') ? u.Endpoint.Url + u.Url : u.Url,
                u.DisplayLocation == UrlDisplayLocation.DetailsOnly)
            {
                DisplayProperties = new(u.DisplayText ?? ""), IsInactive = HasProcess(resource),
            })],
        });
    }

    /// <summary>What has no process is there as soon as its value is.</summary>
    async Task InitializeAsync(IResource resource)
    {
        try
        {
            if (resource is IResourceWithEndpoints)
                await eventing.PublishAsync(new ResourceEndpointsAllocatedEvent(resource, services), _stopping.Token);

            if (resource is IResourceWithoutLifetime and IValueProvider value)
            {
                var text = await value.GetValueAsync(_stopping.Token);
                var secret = resource is not ParameterResource { Secret: false };
                await notifications.PublishUpdateAsync(resource, s => s.With("Value", text, secret) with { State = KnownResourceStates.Running });
            }

            await eventing.PublishAsync(new InitializeResourceEvent(resource, services), _stopping.Token);
        }
        catch (MissingParameterValueException e)
        {
            loggers.GetLogger(resource).FailedToStart(resource.Name, e.Message);
            await notifications.PublishUpdateAsync(
                resource, s => s with { State = new(KnownResourceStates.ValueMissing, KnownResourceStateStyles.Warn) });
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            loggers.GetLogger(resource).SubscriberFailed(e, resource.Name);
        }
    }

    async Task LaunchAsync(IResource resource, ResourceInstance[] instances, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var instance in instances)
            {
                instance.StartNow = new(TaskCreationOptions.RunContinuationsAsynchronously);
                await notifications.PublishUpdateAsync(resource, instance.Id, s => s with
                {
                    State = KnownResourceStates.Starting,
                    ExitCode = null,
                    StartTimeStamp = null,
                    StopTimeStamp = null,
                    ResourceReadyEvent = null,
                    HealthReports = [.. s.HealthReports.Select(r => r with { Status = null })],
                });
            }

            foreach (var related in model.Resources.Where(r => r is IResourceWithConnectionString && r.SelfAndParents().Contains(resource)))
            {
                var text = await ((IResourceWithConnectionString)related).GetConnectionStringAsync(cancellationToken);
                await notifications.PublishUpdateAsync(related, s => s.With("resource.connectionString", text, isSensitive: true));
                await eventing.PublishAsync(new ConnectionStringAvailableEvent(related, services), cancellationToken);
            }

            await eventing.PublishAsync(new BeforeResourceStartedEvent(resource, services), cancellationToken);
            await notifications.PublishUpdateAsync(resource, s =>
                s.State?.Text == KnownResourceStates.Waiting ? s with { State = KnownResourceStates.Starting } : s);
            foreach (var instance in instances)
                await CreateProcessAsync(instance, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The application ends.
        }
#pragma warning disable CA1031 // Whatever prevents it, the resource has failed to start, and the others go on.
        catch (Exception e)
#pragma warning restore CA1031
        {
            hostLoggers.CreateLogger<DistributedApplication>().FailedToStart(resource.Name, e.Message);
            foreach (var instance in instances)
            {
                loggers.GetLogger(instance.Id).FailedToStart(resource.Name, e.Message);
                await watcher.PublishAsync(instance, s => s with { State = new(KnownResourceStates.FailedToStart, KnownResourceStateStyles.Error) });
            }
        }
    }

    async Task CreateProcessAsync(ResourceInstance instance, CancellationToken cancellationToken)
    {
        var produced = new JsonArray();
        foreach (var endpoint in instance.Resource.Annotations.OfType<EndpointAnnotation>())
        {
            await endpoint.AllocatedTask.WaitAsync(cancellationToken);
            if (endpoint.IsProxied)
            {
                var producer = new JsonObject { ["serviceName"] = EndpointAllocator.ServiceName(instance.Resource, endpoint), ["address"] = "localhost" };
                if (endpoint.TargetPort is { } port) producer["port"] = port;

                produced.Add(producer);
            }
        }

        var spec = await launches.CreateAsync(instance.Resource, cancellationToken);
        await dcp.CreateAsync(DcpClient.Executables, instance.Id, spec, new JsonObject
        {
            ["service-producer"] = produced.ToJsonString(),
            ["otel-service-instance-id"] = instance.Id[(instance.Resource.Name.Length + 1)..],
        });
    }

    async Task WaitForDependenciesAsync(BeforeResourceStartedEvent started, CancellationToken cancellationToken)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var forced = _instances.Values.Where(i => i.Resource == started.Resource).Select(i => i.StartNow.Task);
        var waited = notifications.WaitForDependenciesAsync(started.Resource, enough.Token);
        var first = await Task.WhenAny([waited, .. forced]);
        await enough.CancelAsync();
        await first;
    }

    void ForwardLine(string id, LogLine line)
    {
        var logger = hostLoggers.CreateLogger($"{host.ApplicationName}.Resources.{(_instances.TryGetValue(id, out var i) ? i.Resource.Name : id)}");
        if (line.IsErrorMessage) logger.ResourceErrorLine(line.Content);
        else logger.ResourceLine(line.Content);
    }

    void AddCommands(IResource resource)
    {
        Add(KnownResourceCommands.StartCommand, "Start", "Play", IconVariant.Filled, true, StartInstanceAsync, s =>
            s is "NotStarted" or "Waiting" || KnownResourceStates.TerminalStates.Contains(s) ? ResourceCommandState.Enabled
                : s is null or "Starting" ? ResourceCommandState.Disabled : ResourceCommandState.Hidden);
        Add(KnownResourceCommands.StopCommand, "Stop", "Stop", IconVariant.Filled, true, StopInstanceAsync, s =>
            s is "Running" ? ResourceCommandState.Enabled : s is "Stopping" ? ResourceCommandState.Disabled : ResourceCommandState.Hidden);
        Add(KnownResourceCommands.RestartCommand, "Restart", "ArrowCounterclockwise", IconVariant.Regular, false, RestartInstanceAsync, s =>
            s is "Running" ? ResourceCommandState.Enabled : ResourceCommandState.Disabled);

        void Add(
            string name, string text, string icon, IconVariant variant, bool highlighted,
            Func<ResourceInstance, CancellationToken, Task> action, Func<string?, ResourceCommandState> state) =>
            resource.Annotations.Add(new ResourceCommandAnnotation(
                name,
                text,
                async context =>
                {
                    var instance = _instances[context.ResourceName];
                    // The states are published before the engine is up.
                    await _ready.Task.WaitAsync(context.CancellationToken);
                    await action(instance, context.CancellationToken);
                    return CommandResults.Success();
                },
                new CommandOptions
                {
                    Description = $"{text} resource",
                    IconName = icon,
                    IconVariant = variant,
                    IsHighlighted = highlighted,
                    UpdateState = context => state(context.ResourceSnapshot.State?.Text),
                }));
    }

    async Task StartInstanceAsync(ResourceInstance instance, CancellationToken cancellationToken)
    {
        if (notifications.TryGetCurrentState(instance.Id, out var now) && now.Snapshot.State?.Text == KnownResourceStates.Waiting)
        {
            instance.StartNow.TrySetResult();
            return;
        }

        await instance.Gate.WaitAsync(cancellationToken);
        try
        {
            if (await dcp.GetAsync(DcpClient.Executables, instance.Id) is { } old)
            {
                if ((string?)old["status"]?["state"] is "Running" or "Starting" or "Stopping")
                    throw new DistributedApplicationException($"'{instance.Id}' is running.");

                instance.Past.Add((string)old["metadata"]!["uid"]!);
                await dcp.DeleteExecutableAsync(instance.Id, cancellationToken);
            }

            await LaunchAsync(instance.Resource, [instance], _stopping.Token).WaitAsync(cancellationToken);
        }
        finally
        {
            instance.Gate.Release();
        }
    }

    async Task StopInstanceAsync(ResourceInstance instance, CancellationToken cancellationToken)
    {
        await instance.Gate.WaitAsync(cancellationToken);
        try
        {
            if (await dcp.GetAsync(DcpClient.Executables, instance.Id) is null)
                throw new DistributedApplicationException($"'{instance.Id}' is not running.");

            await dcp.StopExecutableAsync(instance.Id);
            await notifications.WaitForResourceAsync(
                instance.Resource.Name,
                e => e.ResourceId == instance.Id && KnownResourceStates.TerminalStates.Contains(e.Snapshot.State?.Text),
                cancellationToken);
        }
        finally
        {
            instance.Gate.Release();
        }
    }

    async Task RestartInstanceAsync(ResourceInstance instance, CancellationToken cancellationToken)
    {
        await StopInstanceAsync(instance, cancellationToken);
        await StartInstanceAsync(instance, cancellationToken);
    }
}
