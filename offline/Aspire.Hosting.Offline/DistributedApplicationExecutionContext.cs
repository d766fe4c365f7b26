namespace Aspire.Hosting;

/// <summary>What the AppHost was started for: here always to run the application.</summary>
public class DistributedApplicationExecutionContext(DistributedApplicationOperation operation)
{
    IServiceProvider? _services;

    public DistributedApplicationOperation Operation { get; } = operation;

    public bool IsRunMode => Operation == DistributedApplicationOperation.Run;

    public bool IsPublishMode => Operation == DistributedApplicationOperation.Publish;

    /// <exception cref="InvalidOperationException">The application is not built yet.</exception>
    public IServiceProvider Services
    {
        get => _services ?? throw new InvalidOperationException(
            "IServiceProvider is not available because the container has not been built yet.");
        internal set => _services = value;
    }
}

public enum DistributedApplicationOperation
{
    Run,
    Publish,
}
