using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Servers;

/// <summary>The server's data is kept, under that name.</summary>
internal sealed class DataVolumeAnnotation(string name) : IResourceAnnotation
{
    public string Name { get; } = name;
}
