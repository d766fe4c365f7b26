namespace Aspire.Hosting.ApplicationModel;

/// <summary>Executes the commands of resources.</summary>
public class ResourceCommandService
{
    readonly ResourceNotificationService _notifications;
    readonly ResourceLoggerService _loggers;
    readonly IServiceProvider _services;

    internal ResourceCommandService(ResourceNotificationService notifications, ResourceLoggerService loggers, IServiceProvider services) =>
        (_notifications, _loggers, _services) = (notifications, loggers, services);

    /// <param name="resourceId">The id of an instance, or the name of a resource with one instance.</param>
    /// <param name="commandName">One of <see cref="KnownResourceCommands"/> or of one's own.</param>
    /// <param name="cancellationToken">Handed to the command.</param>
    public Task<ExecuteCommandResult> ExecuteCommandAsync(string resourceId, string commandName, CancellationToken cancellationToken = default) =>
        _notifications.TryGetCurrentState(resourceId, out var known)
            ? ExecuteAsync(known.Resource, known.ResourceId, commandName, cancellationToken)
            : Task.FromResult(CommandResults.Failure($"Resource '{resourceId}' not found."));

    /// <summary>On all instances at the same time.</summary>
    public async Task<ExecuteCommandResult> ExecuteCommandAsync(IResource resource, string commandName, CancellationToken cancellationToken = default)
    {
        var results = await Task.WhenAll(
            resource.GetInstanceIds().Select(id => ExecuteAsync(resource, id, commandName, cancellationToken)));
        var failures = results.Where(r => !r.Success).ToArray();
        return failures switch
        {
            [] => results[0],
            _ when failures.All(f => f.Canceled) => CommandResults.Canceled(),
            _ => CommandResults.Failure(string.Join(", ", failures.Select(f => f.Message))),
        };
    }

    async Task<ExecuteCommandResult> ExecuteAsync(IResource resource, string id, string name, CancellationToken cancellationToken)
    {
        if (resource.Annotations.OfType<ResourceCommandAnnotation>().LastOrDefault(c => c.Name == name) is not { } command)
            return CommandResults.Failure($"Command '{name}' not available for resource '{id}'.");

        var logger = _loggers.GetLogger(id);
        logger.ExecutingCommand(name);
        try
        {
            return await command.ExecuteCommand(new ExecuteCommandContext
            {
                ResourceName = id, Services = _services, CancellationToken = cancellationToken, Logger = logger,
            });
        }
        catch (OperationCanceledException)
        {
            return CommandResults.Canceled();
        }
#pragma warning disable CA1031 // Whatever the command throws is its result.
        catch (Exception e)
#pragma warning restore CA1031
        {
            logger.CommandFailed(e, name);
            return CommandResults.Failure($"Command '{name}' failed: {e.Message}");
        }
    }
}
