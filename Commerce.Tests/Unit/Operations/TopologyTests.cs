using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace Commerce.Tests.Unit.Operations;

/// <summary>Tests what the AppHost composes for <c>--topology</c>.</summary>
public sealed class TopologyTests
{
    [Theory]
    [InlineData("single", 1, "kafka", "mysql", "redis")]
    [InlineData("cluster", 2, "kafka-1", "kafka-2", "kafka-3", "mysql", "redis-1", "redis-2", "redis-3", "redis-4", "redis-5", "redis-6")]
    public async Task A_topology_has_these_servers_and_replicas(string topology, int replicas, params string[] servers)
    {
        await using var builder = await CreateAsync($"--topology={topology}");

        Assert.Equal(servers, builder.Resources.OfType<ContainerResource>().Select(r => r.Name).Order(StringComparer.Ordinal));
        foreach (var service in new[] { "api", "workers" })
            Assert.Equal(replicas, builder.Resources.Single(r => r.Name == service).Annotations.OfType<ReplicaAnnotation>().Last().Replicas);
    }

    [Theory]
    [InlineData("There is no topology 'ring'", "--topology=ring")]
    [InlineData("for one's own machine", "--topology=cluster", "--operation=publish")]
    public async Task Another_topology_or_a_published_cluster_is_refused(string why, params string[] arguments)
    {
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => CreateAsync(arguments));

        Assert.Contains(why, refused.ToString(), StringComparison.Ordinal);
    }

    static Task<IDistributedApplicationTestingBuilder> CreateAsync(params string[] arguments) =>
        DistributedApplicationTestingBuilder.CreateAsync<Projects.Commerce_AppHost>([.. arguments, "--NativeServers=true", "--Data:Keep=false"], TestContext.Current.CancellationToken);
}
