namespace Commerce.Hosting.Native;

/// <summary>
/// Takes a container's place in the model, with its name and its annotations, the endpoints among them: what refers to the container refers to
/// this process. The engine runs it because it is an executable.
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

    // While the base constructor runs there is no container yet.
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
