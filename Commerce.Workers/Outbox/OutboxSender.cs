using System.Threading.Channels;
using Commerce.Core.Outbox;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Commerce.Workers.Outbox;

/// <summary>Runs the relays of this process: each looks when it is woken through Redis, and every few seconds in any case.</summary>
sealed partial class OutboxSender(IServiceProvider services, IConnectionMultiplexer redis, IOptions<OutboxOptions> options, TimeProvider clock, ILogger<OutboxSender> logger)
    : BackgroundService
{
    // One call is as good as many: who is woken looks for everything.
    readonly List<Channel<bool>> _calls = [.. Enumerable.Range(0, options.Value.Relays)
        .Select(_ => Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }))];

    bool _listening;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll([ListenAsync(stoppingToken), .. _calls.Select(calls => RelayAsync(calls.Reader, stoppingToken))]);

    async Task RelayAsync(ChannelReader<bool> calls, CancellationToken stop)
    {
        using var relay = ActivatorUtilities.CreateInstance<OutboxRelay>(services);
        while (!stop.IsCancellationRequested)
        {
            await relay.DrainAsync(stop);
            using var poll = new CancellationTokenSource(options.Value.Poll, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(poll.Token, stop);
            try
            {
                await calls.ReadAsync(either.Token);
            }
            catch (OperationCanceledException) when (!stop.IsCancellationRequested)
            {
                // Nobody called: it looks nevertheless.
            }
        }
    }

    /// <summary>The client subscribes again by itself when a connection comes back; the first time it has to be there.</summary>
    async Task ListenAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(options.Value.Poll, clock);
        do
        {
            try
            {
                await redis.GetSubscriber().SubscribeAsync(OutboxWriter.WakeChannel, (_, _) => Call());
                _listening = true;
            }
            catch (Exception e) when (DependencyFaults.Is(e))
            {
                LogDeaf(logger, e.Message);
            }
        }
        while (!_listening && await timer.WaitForNextTickAsync(stop));
    }

    void Call()
    {
        foreach (var calls in _calls) calls.Writer.TryWrite(true);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The relays of the outbox cannot be woken yet: {Reason}")]
    static partial void LogDeaf(ILogger logger, string reason);
}

/// <summary>Adds what sends the outbox.</summary>
static class OutboxExtensions
{
    public static WebApplicationBuilder AddOutboxRelay(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<OutboxOptions>().BindConfiguration(OutboxOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddHostedService<OutboxSender>();
        builder.Services.AddHostedService<OutboxKeeper>();
        return builder;
    }
}
