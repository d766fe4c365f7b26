using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Servers;

/// <summary>What stands in for a container: called before every start.</summary>
internal sealed class NativeServerAnnotation(Func<CancellationToken, Task<ProcessDescription>> prepare) : IResourceAnnotation
{
    public Task<ProcessDescription> PrepareAsync(CancellationToken cancellationToken) => prepare(cancellationToken);
}

/// <param name="Command">A path, or a program on PATH.</param>
/// <param name="WorkingDirectory">Absolute.</param>
/// <param name="Args">Before those of the resource.</param>
internal sealed record ProcessDescription(string Command, string WorkingDirectory, string[] Args)
{
    public Dictionary<string, string> Environment { get; init; } = [];
}
