using System.Collections.Concurrent;
using Commerce.Core.Messaging;
using Commerce.ServiceDefaults;
using Confluent.Kafka;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Commerce.Tests.Servers.Messaging;

/// <summary>Kafka clients fail for good, and the process continues.</summary>
[Long]
public sealed class FatalClientTests
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>
    /// With the newer protocol a missing group is a fatal error for its consumers. With the older one they join again.
    /// </summary>
    [Theory]
    [InlineData(GroupProtocol.Consumer)]
    [InlineData(GroupProtocol.Classic)]
    public async Task F43_A_consumer_goes_on_at_brokers_that_came_back_without_topics_and_groups(GroupProtocol protocol)
    {
        Assert.SkipUnless(KafkaCluster.IsInstalled, KafkaCluster.WhyNot);
        await using var kafka = await KafkaCluster.StartAsync();
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionStrings:kafka"] = kafka.BootstrapServers, ["Kafka:Consumer:GroupProtocol"] = $"{protocol}",
        }).Build();
        var creator = new TopicCreator(configuration, Options.Create(new TopicOptions()), NullLogger<TopicCreator>.Instance);
        await creator.CreateAsync();
        using var producer = NewProducer(configuration);
        var (handler, log, states) = (new Collecting(), new Lines(), new ConsumerStates());
        var factory = new ConsumerFactory(configuration, NullLogger<ConsumerFactory>.Instance);
        var admin = new KafkaAdmin(producer);
        using var topics = new TopicWatch(admin, producer, TimeProvider.System, NullLogger<TopicWatch>.Instance);
        using var loop = new ConsumerLoop<string>(
            Topics.OrderPlaced, () => factory.Create("goes-on"), handler, new(producer, TimeProvider.System, NullLogger<DeadLetterProducer>.Instance),
            new() { Retries = new() }, states, new ConsumerLag(), admin, topics, TimeProvider.System, log);
        await topics.StartAsync(Cancelled);
        await loop.StartAsync(Cancelled);
        await SendAsync("before");

        // The epoch of a leader grows with each restart. With an empty log it starts again.
        await kafka.KillAsync();
        await kafka.StartNodeAsync();
        await SendAsync("between");
        await kafka.EmptyAsync();
        await creator.CreateAsync();
        await SendAsync("after");
        // The client notices it at the next heartbeat or topic check, which may be after the messages.
        await Eventually.GetAsync(() => Task.FromResult(log.Said.Count(IsReplacement)), count => count > 0);
        await SendAsync("again");

        await loop.StopAsync(Cancelled);
        await topics.StopAsync(Cancelled);
        Assert.DoesNotContain(log.Said, line => line.StartsWith("Error", StringComparison.Ordinal));
        Assert.Empty(states.Waiting);

        // Either of the two can come first.
        static bool IsReplacement(string line) => line.StartsWith("Warning", StringComparison.Ordinal)
            && (line.Contains("created again", StringComparison.Ordinal) || line.Contains("fatal error", StringComparison.Ordinal));

        // Sends a message to each partition.
        async Task SendAsync(string what)
        {
            for (var partition = 0; partition < Topics.Partitions[Topics.OrderPlaced]; partition++)
            {
                var message = new Message<string?, byte[]?> { Value = System.Text.Encoding.UTF8.GetBytes($"{what}-{partition}") };
                var to = new TopicPartition(Topics.OrderPlaced, partition);
                await Eventually.DoneAsync(() => producer.ProduceAsync(to, message, Cancelled));
            }

            await Eventually.EqualAsync(Topics.Partitions[Topics.OrderPlaced],
                () => Task.FromResult(handler.Seen.Keys.Count(m => m.StartsWith(what, StringComparison.Ordinal))), TimeSpan.FromSeconds(30));
        }
    }

    /// <summary>A paused partition behaves like one that librdkafka no longer fetches.</summary>
    [Fact]
    public async Task F42_A_consumer_that_no_longer_fetches_a_partition_is_replaced()
    {
        Assert.SkipUnless(KafkaCluster.IsInstalled, KafkaCluster.WhyNot);
        await using var kafka = await KafkaCluster.StartAsync();
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { ["ConnectionStrings:kafka"] = kafka.BootstrapServers }).Build();
        await new TopicCreator(configuration, Options.Create(new TopicOptions()), NullLogger<TopicCreator>.Instance).CreateAsync();
        using var producer = NewProducer(configuration);
        var (handler, log, lag) = (new Collecting(), new Lines(), new ConsumerLag());
        var factory = new ConsumerFactory(configuration, NullLogger<ConsumerFactory>.Instance);
        var admin = new KafkaAdmin(producer);
        using var topics = new TopicWatch(admin, producer, TimeProvider.System, NullLogger<TopicWatch>.Instance);
        var made = new ConcurrentQueue<IConsumer<string?, byte[]?>>();
        using var loop = new ConsumerLoop<string>(
            Topics.OrderPlaced, Create, handler, new(producer, TimeProvider.System, NullLogger<DeadLetterProducer>.Instance),
            new() { Retries = new() }, new(), lag, admin, topics, TimeProvider.System, log);
        await loop.StartAsync(Cancelled);
        for (var partition = 0; partition < 2; partition++) await SendAsync(partition, $"first-{partition}");
        await Eventually.EqualAsync(2, () => Task.FromResult(handler.Seen.Count));

        var stalled = new TopicPartition(Topics.OrderPlaced, 1);
        Assert.True(made.TryPeek(out var consumer));
        consumer.Pause([stalled]);
        await SendAsync(1, "waits");
        // Traffic on the other partitions must not hide the stalled one.
        for (var i = 0; !handler.Seen.ContainsKey("waits"); i++)
        {
            await SendAsync(0, $"busy-{i}");
            await Eventually.GetAsync(() => Task.FromResult(handler.Seen.ContainsKey($"busy-{i}")), seen => seen);
            Assert.True(i < 10_000, "The message still waits.");
        }

        await Eventually.EqualAsync(0L, () => Task.FromResult(lag.Messages.GetValueOrDefault(Topics.OrderPlaced, -1L)));
        await loop.StopAsync(Cancelled);
        Assert.Equal(2, made.Count);
        Assert.Single(log.Said, line => line.Contains("no longer reads partition 1", StringComparison.Ordinal));

        IConsumer<string?, byte[]?> Create()
        {
            var consumer = factory.Create("stalls");
            made.Enqueue(consumer);
            return consumer;
        }

        Task SendAsync(int partition, string what) => producer.ProduceAsync(
            new TopicPartition(Topics.OrderPlaced, partition), new() { Value = System.Text.Encoding.UTF8.GetBytes(what) }, Cancelled);
    }

    [Fact]
    public async Task F42_Consumers_and_what_measures_them_live_through_a_broker_that_is_killed_again_and_again()
    {
        Assert.SkipUnless(KafkaCluster.IsInstalled, KafkaCluster.WhyNot);
        await using var kafka = await KafkaCluster.StartAsync();
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { ["ConnectionStrings:kafka"] = kafka.BootstrapServers }).Build();
        var creator = new TopicCreator(configuration, Options.Create(new TopicOptions()), NullLogger<TopicCreator>.Instance);
        await creator.CreateAsync();
        using var producer = NewProducer(configuration);
        var (handler, states, lag) = (new Collecting(), new ConsumerStates(), new ConsumerLag());
        var factory = new ConsumerFactory(configuration, NullLogger<ConsumerFactory>.Instance);
        var admin = new KafkaAdmin(producer);
        using var topics = new TopicWatch(admin, producer, TimeProvider.System, NullLogger<TopicWatch>.Instance);
        using var keeper = new TopicKeeper(new(admin, configuration), creator, admin, TimeProvider.System, NullLogger<TopicKeeper>.Instance);
        var loops = Topics.Partitions.Keys.Select(topic => new ConsumerLoop<string>(
            topic, () => factory.Create($"group-{topic}"), handler, new(producer, TimeProvider.System, NullLogger<DeadLetterProducer>.Instance),
            new() { Retries = new() }, states, lag, admin, topics, TimeProvider.System, NullLogger<ConsumerLoop<string>>.Instance)).ToList();
        foreach (var loop in loops) await loop.StartAsync(Cancelled);
        await topics.StartAsync(Cancelled);
        await keeper.StartAsync(Cancelled);

        for (var i = 0; i < 3; i++)
        {
            await kafka.KillAsync();
            await Task.Delay(TimeSpan.FromSeconds(8), Cancelled);
            await kafka.StartNodeAsync();
            foreach (var topic in Topics.Partitions.Keys)
                await Eventually.DoneAsync(() => producer.ProduceAsync(topic, new() { Value = System.Text.Encoding.UTF8.GetBytes($"{i}-{topic}") }, Cancelled));
            var round = $"{i}-";
            await Eventually.EqualAsync(Topics.Partitions.Count, () => Task.FromResult(handler.Seen.Keys.Count(m => m.StartsWith(round, StringComparison.Ordinal))));
        }

        await Eventually.EqualAsync(string.Join(' ', Topics.Partitions.Select(_ => 0)), () => Task.FromResult(string.Join(' ', lag.Messages.Values)));
        await keeper.StopAsync(Cancelled);
        await topics.StopAsync(Cancelled);
        foreach (var loop in loops) await loop.StopAsync(Cancelled);
        foreach (var loop in loops) loop.Dispose();
    }

    static KafkaProducer NewProducer(IConfiguration configuration) => new(() =>
        new ProducerBuilder<string?, byte[]?>(new ProducerConfig { MessageTimeoutMs = 2000 }.ForCommerce(configuration)).SetLogHandler((_, _) => { }).Build());

    sealed class Collecting : IMessageHandler<string>
    {
        public ConcurrentDictionary<string, bool> Seen { get; } = new();

        public string? Read(ConsumeResult<string?, byte[]?> source, out string message)
        {
            message = System.Text.Encoding.UTF8.GetString(source.Message.Value!);
            return null;
        }

        public Task HandleAsync(IReadOnlyList<Received<string>> batch, CancellationToken cancellationToken)
        {
            foreach (var (message, _) in batch) Seen[message] = true;
            return Task.CompletedTask;
        }

        public Task OnDeadLetterAsync(string message, CancellationToken cancellationToken) => Task.CompletedTask;
    }

    sealed class Lines : ILogger<ConsumerLoop<string>>
    {
        public ConcurrentQueue<string> Said { get; } = new();

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Said.Enqueue($"{logLevel}: {formatter(state, exception)}");
    }
}
