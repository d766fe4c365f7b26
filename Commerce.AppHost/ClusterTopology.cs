using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Commerce.Hosting.Native;
using StackExchange.Redis;

namespace Commerce.AppHost;

/// <summary>
/// The topology <c>cluster</c>: three Kafka nodes, a Redis Cluster of three primaries with a replica each, two Apis and two Workers.
/// The servers are processes even if there is a container engine. A node tells clients the addresses of the other nodes, and the host
/// cannot reach the addresses that containers use.
/// </summary>
static class ClusterTopology
{
    const string Setting = "Topology";
    const int KafkaNodes = 3, RedisPrimaries = 3, RedisSlots = 16_384;

    /// <summary>The distance from a node's port to its cluster bus port.</summary>
    const int RedisBus = 10_000;

    /// <summary>Reads the setting, which is <c>single</c> or <c>cluster</c>. Call it first.</summary>
    /// <exception cref="DistributedApplicationException">The topology does not exist, or cannot be published.</exception>
    public static IDistributedApplicationBuilder UseTopology(this IDistributedApplicationBuilder builder)
    {
        if (builder.Configuration[Setting] is not (null or "" or "single" or "cluster"))
            throw new DistributedApplicationException($"There is no topology '{builder.Configuration[Setting]}': single, cluster.");
        if (!builder.IsCluster()) return builder;
        if (!builder.ExecutionContext.IsRunMode)
            throw new DistributedApplicationException("The topology 'cluster' is for one's own machine. A published shop gets its clusters by connection strings (docs/scaling.md).");
        builder.Configuration["NativeServers"] = "true";
        foreach (var service in new[] { "Api", "Workers" }) builder.Configuration[$"{service}:Replicas"] ??= "2";
        return builder;
    }

    /// <summary>Adds the nodes <c>NAME-1</c> and so on. Returns null in another topology.</summary>
    public static IResourceBuilder<IResourceWithConnectionString>? AddKafkaCluster(this IDistributedApplicationBuilder builder, string name)
    {
        if (!builder.IsCluster()) return null;
        var voters = string.Join(',', PortsOf(KafkaNodes).Select((port, i) => $"{i + 1}@127.0.0.1:{port}"));
        var cluster = Convert.ToBase64String(RandomNumberGenerator.GetBytes(16)).TrimEnd('=').Replace('+', '-').Replace('/', '_');
        var replicas = KafkaNodes.ToString(CultureInfo.InvariantCulture);
        var ports = PortsOf(KafkaNodes);
        var nodes = ports.Select((port, i) => builder.AddKafka($"{name}-{i + 1}", port)
            .WithEnvironment("CLUSTER_ID", cluster)
            .WithEnvironment("KAFKA_NODE_ID", (i + 1).ToString(CultureInfo.InvariantCulture))
            .WithEnvironment("KAFKA_CONTROLLER_QUORUM_VOTERS", voters)
            .WithEnvironment("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", replicas)
            .WithEnvironment("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", replicas)
            .WithEnvironment("KAFKA_REPLICA_LAG_TIME_MAX_MS", "3000")).ToList();
        var kafka = builder.AddConnectionString(name, ReferenceExpression.Create($"{Addresses(ports)}"));
        foreach (var node in nodes) kafka.WaitFor(node);
        return kafka;
    }

    /// <summary>Adds the nodes <c>NAME-1</c> and so on, the primaries first. Returns null in another topology.</summary>
    public static IResourceBuilder<IResourceWithConnectionString>? AddRedisCluster(this IDistributedApplicationBuilder builder, string name)
    {
        if (!builder.IsCluster()) return null;
        var password = builder.AddParameter($"{name}-password", new GenerateParameterDefault { MinLength = 22, Special = false }, secret: true);
        var ports = PortsOf(2 * RedisPrimaries, RedisBus);
        var nodes = ports.Select((port, i) => builder.AddRedis($"{name}-{i + 1}", port, password)
            // A replica takes over two seconds after its primary has failed.
            .WithArgs("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")).ToList();
        foreach (var node in nodes[..^1]) nodes[^1].WaitFor(node);
        nodes[^1].OnResourceReady(async (_, _, cancellationToken) => await FormAsync(ports, (await password.Resource.GetValueAsync(cancellationToken))!, cancellationToken));
        return builder.AddConnectionString(name, ReferenceExpression.Create($"{Addresses(ports)},password={password}")).WaitFor(nodes[^1]);
    }

    static bool IsCluster(this IDistributedApplicationBuilder builder) => builder.Configuration[Setting] == "cluster";

    static string Addresses(IEnumerable<int> ports) => string.Join(',', ports.Select(port => $"127.0.0.1:{port}"));

    /// <summary>
    /// Forms the cluster if it is not formed yet. It assigns the slots to the primaries, introduces the nodes to each other, and gives
    /// each primary its replica.
    /// </summary>
    static async Task FormAsync(List<int> ports, string password, CancellationToken cancellationToken)
    {
        var clients = await Task.WhenAll(ports.Select(port => ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{port},password={password},allowAdmin=true")));
        try
        {
            var nodes = clients.Select((client, i) => client.GetServer(IPAddress.Loopback, ports[i])).ToList();
            if (await SaysAsync(nodes[0], "cluster_state:ok")) return;
            for (var i = 0; i < RedisPrimaries; i++)
                await nodes[i].ExecuteAsync("CLUSTER", "ADDSLOTSRANGE", RedisSlots * i / RedisPrimaries, (RedisSlots * (i + 1) / RedisPrimaries) - 1);
            // Each node needs its own epoch. Otherwise two primaries would dispute their slots.
            for (var i = 0; i < nodes.Count; i++) await nodes[i].ExecuteAsync("CLUSTER", "SET-CONFIG-EPOCH", i + 1);
            foreach (var node in nodes.Skip(1)) await node.ExecuteAsync("CLUSTER", "MEET", "127.0.0.1", ports[0]);
            await AllSayAsync($"cluster_known_nodes:{nodes.Count}");
            for (var i = 0; i < RedisPrimaries; i++)
                await nodes[RedisPrimaries + i].ExecuteAsync("CLUSTER", "REPLICATE", $"{await nodes[i].ExecuteAsync("CLUSTER", "MYID")}");
            await AllSayAsync("cluster_state:ok");

            async Task AllSayAsync(string text)
            {
                foreach (var node in nodes)
                    while (!await SaysAsync(node, text)) await Task.Delay(50, cancellationToken);
            }
        }
        finally
        {
            foreach (var client in clients) await client.DisposeAsync();
        }
    }

    static async Task<bool> SaysAsync(IServer node, string text) => $"{await node.ExecuteAsync("CLUSTER", "INFO")}".Contains(text, StringComparison.Ordinal);

    static List<int> PortsOf(int servers, int neighbour = 0) => [.. Enumerable.Range(0, servers).Select(_ => FreePorts.Take(neighbour))];
}
