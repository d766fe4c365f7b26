using System.Globalization;
using System.Text.Json.Nodes;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Aspire.Hosting.Servers;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Dcp;

/// <summary>Turns what the engine tells of processes into snapshots and console output.</summary>
internal sealed class InstanceWatcher(
    DistributedApplicationModel model,
    DcpClient dcp,
    ResourceNotificationService notifications,
    ResourceLoggerService loggers,
    IDistributedApplicationEventing eventing,
    IServiceProvider services,
    ILogger<InstanceWatcher> logger)
{
    public async Task RunAsync(IReadOnlyDictionary<string, ResourceInstance> instances, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var executable in dcp.WatchAsync(DcpClient.Executables, cancellationToken))
            {
                if (instances.TryGetValue((string)executable["metadata"]!["name"]!, out var instance)
                    && executable["metadata"]!["deletionTimestamp"] is null
                    && !instance.Past.Contains((string)executable["metadata"]!["uid"]!))
                {
                    await UpdateAsync(instance, executable, cancellationToken);
                }
            }
        }
        catch (Exception e) when (e is IOException or HttpRequestException && !cancellationToken.IsCancellationRequested)
        {
            logger.WatchBroke(e);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or HttpRequestException)
        {
            // The application ends.
        }
    }

    /// <summary>Changes the snapshot of an instance, and those of what belongs to the resource and has no process of its own.</summary>
    public async Task PublishAsync(ResourceInstance instance, Func<CustomResourceSnapshot, CustomResourceSnapshot> change)
    {
        var resource = instance.Resource;
        notifications.TryGetCurrentState(instance.Id, out var before);
        await notifications.PublishUpdateAsync(resource, instance.Id, change);
        if (!notifications.TryGetCurrentState(instance.Id, out var after) || after.Snapshot.State == before?.Snapshot.State) return;

        var state = after.Snapshot.State?.Text;
        var family = model.Resources.Where(r => r.SelfAndParents().Contains(resource)).ToArray();
        foreach (var child in family.Where(r => r != resource))
        {
            await notifications.PublishUpdateAsync(child, s => s with
            {
                State = after.Snapshot.State,
                StartTimeStamp = after.Snapshot.StartTimeStamp,
                StopTimeStamp = after.Snapshot.StopTimeStamp,
                ResourceReadyEvent = state == KnownResourceStates.Running ? s.ResourceReadyEvent : null,
                HealthReports = state == KnownResourceStates.Running ? s.HealthReports
                    : [.. s.HealthReports.Select(r => r with { Status = null })],
            });
        }

        if (KnownResourceStates.TerminalStates.Contains(state))
        {
            foreach (var member in family)
            {
                try
                {
                    await eventing.PublishAsync(new ResourceStoppedEvent(member, services, after), CancellationToken.None);
                }
#pragma warning disable CA1031 // A subscriber's problem must not stop the watching.
                catch (Exception e)
#pragma warning restore CA1031
                {
                    loggers.GetLogger(resource).SubscriberFailed(e, resource.Name);
                }
            }
        }
    }

    static DateTime? Time(JsonNode? node) => (string?)node is { Length: > 0 } text
        ? DateTime.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal) : null;

    async Task UpdateAsync(ResourceInstance instance, JsonNode executable, CancellationToken cancellationToken)
    {
        var status = executable["status"];
        if ((string?)status?["state"] is not { Length: > 0 } reported) return;

        var uid = (string)executable["metadata"]!["uid"]!;
        if (instance.Followed != uid)
        {
            instance.Followed = uid;
            _ = FollowAsync(instance.Id, "stdout", cancellationToken);
            _ = FollowAsync(instance.Id, "stderr", cancellationToken);
        }

        // A server is a container in Aspire, and a container that ended is "Exited".
        var server = instance.Resource.HasAnnotationOfType<NativeServerAnnotation>();
        var ended = server ? KnownResourceStates.Exited : KnownResourceStates.Finished;
        var state = reported is "Finished" or "Terminated" ? ended : reported;
        await PublishAsync(instance, s => Describe(s, instance.Resource, executable) with
        {
            State = state,
            ExitCode = (int?)status["exitCode"],
            CreationTimeStamp = Time(executable["metadata"]!["creationTimestamp"]),
            StartTimeStamp = Time(status["startupTimestamp"]),
            StopTimeStamp = Time(status["finishTimestamp"]),
            Urls = [.. s.Urls.Select(u => u with { IsInactive = state != KnownResourceStates.Running })],
            EnvironmentVariables =
            [
                .. (status["effectiveEnv"]?.AsArray() ?? []).Select(v => new EnvironmentVariableSnapshot(
                    (string)v!["name"]!,
                    (string?)v["value"],
                    executable["spec"]!["env"]?.AsArray().Any(own => (string?)own!["name"] == (string?)v["name"]) == true)),
            ],
        });
    }

    static CustomResourceSnapshot Describe(CustomResourceSnapshot snapshot, IResource resource, JsonNode executable)
    {
        var described = (snapshot with { ResourceType = resource is ProjectResource ? "Project" : "Executable" })
            .With("executable.path", (string?)executable["spec"]!["executablePath"])
            .With("executable.workDir", (string?)executable["spec"]!["workingDirectory"])
            .With("executable.args", (executable["status"]!["effectiveArgs"]?.AsArray() ?? []).Select(a => (string)a!).ToArray(), isSensitive: true)
            .With("executable.pid", (int?)executable["status"]!["pid"]);
        return resource.TryGetLastAnnotation<IProjectMetadata>(out var project)
            ? described.With("project.path", project.ProjectPath) : described;
    }

    async Task FollowAsync(string id, string source, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var line in dcp.LogsAsync(id, source, cancellationToken))
            {
                var space = line.IndexOf(' ', StringComparison.Ordinal);
                loggers.Write(id, space < 0 ? "" : line[(space + 1)..], source == "stderr", space < 0 ? line : line[..space]);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or HttpRequestException)
        {
            // It has ended, or the application has.
        }
    }
}
