namespace Commerce.AppHost;

/// <summary>How the runtime of a service collects its garbage, where that can be said in the environment only.</summary>
static class GarbageCollection
{
    /// <summary>
    /// The youngest generation may grow to 32 MB before it is collected. By default it is as large as a core's cache, and a rush fills that many times a
    /// second; each collection stops all requests. The runtime reads this setting from the environment alone, in hexadecimal.
    /// </summary>
    public static IResourceBuilder<ProjectResource> WithRarerCollections(this IResourceBuilder<ProjectResource> service) =>
        service.WithEnvironment("DOTNET_GCgen0size", "0x2000000");
}
