using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Dcp;

/// <summary>One process of a resource.</summary>
/// <param name="resource">Whose process it is.</param>
/// <param name="id">The resource's name, a dash and 8 random letters and digits.</param>
internal sealed class ResourceInstance(IResource resource, string id) : IDisposable
{
    public IResource Resource { get; } = resource;
    public string Id { get; } = id;
    /// <summary>One start or stop at a time.</summary>
    public SemaphoreSlim Gate { get; } = new(1, 1);
    /// <summary>Ended by the start command of a waiting instance.</summary>
    public TaskCompletionSource StartNow { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    /// <summary>Engine objects whose late changes are of no interest any more.</summary>
    public HashSet<string> Past { get; } = [];
    /// <summary>The engine object whose output is followed.</summary>
    public string? Followed { get; set; }

    public void Dispose() => Gate.Dispose();
}
