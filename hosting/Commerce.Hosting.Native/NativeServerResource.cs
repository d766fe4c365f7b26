namespace Commerce.Hosting.Native;

/// <summary>
/// Replaces a container in the model and takes over its name, annotations and endpoints. References to the container then refer to
/// this process. The orchestrator runs it because it is an executable.
/// </summary>
class NativeServerResource : ExecutableResource
{
    readonly ContainerResource _container;

    protected NativeServerResource(ContainerResource container, string command, string workingDirectory) : base(container.Name, command, workingDirectory)
    {
        _container = container;
        foreach (var annotation in base.Annotations) container.Annotations.Add(annotation);
    }

    public ContainerResource Container => _container;

    // The container is not set yet while the base constructor runs.
    public override ResourceAnnotationCollection Annotations => _container?.Annotations ?? base.Annotations;

    public static NativeServerResource Create(ContainerResource container, string command, string workingDirectory) =>
        container is IResourceWithConnectionString connected
            ? new Connected(container, connected, command, workingDirectory)
            : new NativeServerResource(container, command, workingDirectory);

    sealed class Connected(ContainerResource container, IResourceWithConnectionString inner, string command, string workingDirectory)
        : NativeServerResource(container, command, workingDirectory), IResourceWithConnectionString
    {
        public ReferenceExpression ConnectionStringExpression => inner.ConnectionStringExpression;

        string? IResourceWithConnectionString.ConnectionStringEnvironmentVariable => inner.ConnectionStringEnvironmentVariable;

        ValueTask<string?> IResourceWithConnectionString.GetConnectionStringAsync(CancellationToken cancellationToken) =>
            inner.GetConnectionStringAsync(cancellationToken);

        IEnumerable<KeyValuePair<string, ReferenceExpression>> IResourceWithConnectionString.GetConnectionProperties() =>
            inner.GetConnectionProperties();
    }
}
