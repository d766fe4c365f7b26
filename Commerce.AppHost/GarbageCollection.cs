namespace Commerce.AppHost;

/// <summary>Settings of the garbage collector that can only be set in the environment.</summary>
static class GarbageCollection
{
    /// <summary>
    /// Allows the youngest generation to grow to 32 MB before it is collected. The default is the size of a core's cache. A rush fills
    /// that many times a second, and each collection stops all requests. The runtime reads this setting only from the environment, in
    /// hexadecimal.
    /// </summary>
    public static IResourceBuilder<ProjectResource> WithRarerCollections(this IResourceBuilder<ProjectResource> service) =>
        service.WithEnvironment("DOTNET_GCgen0size", "0x2000000");
}
