using System.Net;
using System.Net.Sockets;
using Commerce.Core.Messaging;
using Commerce.Core.Outbox;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Commerce.Tests.Unit.Outbox;

/// <summary>A relay that has nothing to send yet.</summary>
public sealed class OutboxRelayTests
{
    [Fact]
    public async Task It_connects_to_the_brokers_before_its_first_message()
    {
        using var broker = new TcpListener(IPAddress.Loopback, 0);
        broker.Start();
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("ConnectionStrings:kafka", $"{broker.LocalEndpoint}")]).Build();
        // The relay is stopped before it claims anything, so it needs no database. The watch is not started.
        using var topics = new TopicWatch(null!, null!, TimeProvider.System, NullLogger<TopicWatch>.Instance);
        using var relay = new OutboxRelay(null!, topics, configuration, Options.Create(new OutboxOptions()), TimeProvider.System, NullLogger<OutboxRelay>.Instance);
        await relay.DrainAsync(new CancellationToken(canceled: true));

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(20));
        using var connected = await broker.AcceptTcpClientAsync(limit.Token);
    }
}
