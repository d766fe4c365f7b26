namespace Commerce.Hosting.Native;

/// <summary>
/// Takes a container's place in the model, with its name and its annotations, the endpoints among them: what refers to the container refers to
/// this process. The engine runs it because it is an executable.
/// </summary>
sealed class NativeServerResource(ContainerResource container, string command, string workingDirectory)
    : ExecutableResource(container.Name, command, workingDirectory), IResourceWithConnectionString
{
    public ContainerResource Container => container;

    // The base constructor adds to it already, after the parameter was captured.
    public override ResourceAnnotationCollection Annotations => container.Annotations;

    public ReferenceExpression ConnectionStringExpression => Inner.ConnectionStringExpression;

    string? IResourceWithConnectionString.ConnectionStringEnvironmentVariable => Inner.ConnectionStringEnvironmentVariable;

    IResourceWithConnectionString Inner => container as IResourceWithConnectionString
        ?? throw new DistributedApplicationException($"'{Name}' has no connection string.");

    ValueTask<string?> IResourceWithConnectionString.GetConnectionStringAsync(CancellationToken cancellationToken) =>
        Inner.GetConnectionStringAsync(cancellationToken);

    IEnumerable<KeyValuePair<string, ReferenceExpression>> IResourceWithConnectionString.GetConnectionProperties() =>
        Inner.GetConnectionProperties();
}
