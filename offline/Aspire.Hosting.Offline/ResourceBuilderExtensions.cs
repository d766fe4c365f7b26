using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

/// <summary>The With... methods: arguments, waiting, relationships, commands. The other files of this class hold the rest.</summary>
public static partial class ResourceBuilderExtensions
{
    public static IResourceBuilder<T> WithArgs<T>(this IResourceBuilder<T> builder, params string[] args) where T : IResourceWithArgs =>
        builder.WithArgs(context => Array.ForEach(args, context.Args.Add));

    /// <param name="builder">The resource.</param>
    /// <param name="args">Texts and values that are known at run time.</param>
    public static IResourceBuilder<T> WithArgs<T>(this IResourceBuilder<T> builder, params object[] args) where T : IResourceWithArgs =>
        builder.WithArgs(context => Array.ForEach(args, context.Args.Add));

    public static IResourceBuilder<T> WithArgs<T>(this IResourceBuilder<T> builder, Action<CommandLineArgsCallbackContext> callback)
        where T : IResourceWithArgs => builder.WithArgs(context =>
        {
            callback(context);
            return Task.CompletedTask;
        });

    public static IResourceBuilder<T> WithArgs<T>(this IResourceBuilder<T> builder, Func<CommandLineArgsCallbackContext, Task> callback)
        where T : IResourceWithArgs => builder.WithAnnotation(new CommandLineArgsCallbackAnnotation(callback));

    /// <summary>Starts when the dependency runs, is healthy and has handled its ResourceReadyEvent.</summary>
    public static IResourceBuilder<T> WaitFor<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency)
        where T : IResourceWithWaitSupport => builder.WaitFor(dependency.Resource, WaitType.WaitUntilHealthy, null);

    public static IResourceBuilder<T> WaitFor<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency, WaitBehavior waitBehavior)
        where T : IResourceWithWaitSupport => builder.WaitFor(dependency.Resource, WaitType.WaitUntilHealthy, waitBehavior);

    /// <summary>Starts when the dependency runs, healthy or not.</summary>
    public static IResourceBuilder<T> WaitForStart<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency)
        where T : IResourceWithWaitSupport => builder.WaitFor(dependency.Resource, WaitType.WaitUntilStarted, null);

    public static IResourceBuilder<T> WaitForStart<T>(
        this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency, WaitBehavior waitBehavior)
        where T : IResourceWithWaitSupport => builder.WaitFor(dependency.Resource, WaitType.WaitUntilStarted, waitBehavior);

    /// <summary>Starts when the dependency has ended with that exit code; fails to start when it is another one.</summary>
    public static IResourceBuilder<T> WaitForCompletion<T>(
        this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency, int exitCode = 0) where T : IResourceWithWaitSupport =>
        builder.WaitFor(dependency.Resource, WaitType.WaitForCompletion, null, exitCode);

    /// <summary>Starts by its start command only.</summary>
    public static IResourceBuilder<T> WithExplicitStart<T>(this IResourceBuilder<T> builder) where T : IResource =>
        builder.WithAnnotation(new ExplicitStartupAnnotation());

    /// <param name="builder">The resource.</param>
    /// <param name="key">The name of a check in <see cref="IDistributedApplicationBuilder.Services"/>.</param>
    public static IResourceBuilder<T> WithHealthCheck<T>(this IResourceBuilder<T> builder, string key) where T : IResource =>
        builder.Resource.Annotations.OfType<HealthCheckAnnotation>().Any(a => a.Key == key)
            ? throw new DistributedApplicationException($"Resource '{builder.Resource.Name}' already has a health check with key '{key}'.")
            : builder.WithAnnotation(new HealthCheckAnnotation(key));

    public static IResourceBuilder<T> WithParentRelationship<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> parent)
        where T : IResource => builder.WithRelationship(parent.Resource, "Parent");

    public static IResourceBuilder<T> WithReferenceRelationship<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> resourceBuilder)
        where T : IResource => builder.WithRelationship(resourceBuilder.Resource, "Reference");

    public static IResourceBuilder<T> WithRelationship<T>(this IResourceBuilder<T> builder, IResource resource, string type)
        where T : IResource =>
        builder.WithAnnotation(new ResourceRelationshipAnnotation(resource, type));

    /// <summary>Adds a command, or replaces the one of that name.</summary>
    public static IResourceBuilder<T> WithCommand<T>(
        this IResourceBuilder<T> builder,
        string name,
        string displayName,
        Func<ExecuteCommandContext, Task<ExecuteCommandResult>> executeCommand,
        CommandOptions? commandOptions = null) where T : IResource
    {
        foreach (var old in builder.Resource.Annotations.OfType<ResourceCommandAnnotation>().Where(c => c.Name == name).ToArray())
            builder.Resource.Annotations.Remove(old);

        return builder.WithAnnotation(new ResourceCommandAnnotation(name, displayName, executeCommand, commandOptions ?? new()));
    }

    static IResourceBuilder<T> WaitFor<T>(
        this IResourceBuilder<T> builder, IResource dependency, WaitType type, WaitBehavior? behavior, int exitCode = 0) where T : IResource
    {
        if (dependency.SelfAndParents().Contains(builder.Resource))
            throw new DistributedApplicationException(
                $"The '{builder.Resource.Name}' resource cannot wait for itself or for what belongs to it.");

        // What belongs to a server is there when the server is: waiting for the server first makes its state visible.
        foreach (var parent in dependency.SelfAndParents().Skip(1).Where(_ => type != WaitType.WaitForCompletion))
            builder.WithAnnotation(new WaitAnnotation(parent, type, exitCode) { WaitBehavior = behavior });

        return builder.WithRelationship(dependency, "WaitFor")
            .WithAnnotation(new WaitAnnotation(dependency, type, exitCode) { WaitBehavior = behavior });
    }
}
