using System.Threading.Channels;
using Commerce.Core.Background;
using Commerce.Core.Outbox;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Commerce.Workers.Outbox;

/// <summary>
/// Runs one relay when it is woken, and every few seconds. Each commit wakes the first relay of a process. If commits come in quick
/// succession, its batches begin some milliseconds apart, because a batch costs the same for one message and for many. A backlog
/// wakes the other relays.
/// </summary>
sealed class OutboxRelayService(OutboxRelay relay, OutboxWakeups wakeups, IOptions<OutboxOptions> options, TimeProvider clock, ILogger<OutboxRelayService> logger)
    : PeriodicWorker(clock, logger)
{
    readonly OutboxWakeups.Reader _wakeups = wakeups.Add();
    long? _began;

    protected override TimeSpan Interval => options.Value.Poll;

    protected override async Task RunOnceAsync(CancellationToken stoppingToken)
    {
        _began = Clock.GetTimestamp();
        await relay.DrainAsync(stoppingToken, looksAgain: !_wakeups.IsFirst, wakeups.WakeAll);
    }

    protected override async Task WaitAsync(TimeSpan wait, CancellationToken stoppingToken)
    {
        using var poll = new CancellationTokenSource(options.Value.Poll, Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(poll.Token, stoppingToken);
        try
        {
            await _wakeups.Channel.ReadAsync(either.Token);
            if (_began is { } at && options.Value.Gather - Clock.GetElapsedTime(at) is { Ticks: > 0 } rest) await Task.Delay(rest, Clock, either.Token);
        }
        catch (OperationCanceledException) when (!stoppingToken.IsCancellationRequested)
        {
            // The relay was not woken in time, so it polls.
        }
    }

    public override void Dispose()
    {
        relay.Dispose();
        base.Dispose();
    }
}

/// <summary>Receives the notifications that wake the relays of this process.</summary>
sealed class OutboxWakeups(IConnectionMultiplexer redis, IOptions<OutboxOptions> options, TimeProvider clock, ILogger<OutboxWakeups> logger)
    : PeriodicWorker(clock, logger)
{
    // One pending notification is enough, because a woken relay sends everything.
    readonly List<Channel<bool>> _relays = [];

    /// <summary>The wake-ups of one relay.</summary>
    /// <param name="IsFirst">Whether it is woken for every commit.</param>
    public sealed record Reader(ChannelReader<bool> Channel, bool IsFirst);

    /// <summary>Registers another relay. Call it before this service starts.</summary>
    public Reader Add()
    {
        var wakeups = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        _relays.Add(wakeups);
        return new(wakeups.Reader, IsFirst: _relays.Count == 1);
    }

    protected override TimeSpan Interval => options.Value.Poll;

    /// <summary>
    /// Subscribes to the notifications. The first subscription needs a connection. After a disconnect the client subscribes again by
    /// itself.
    /// </summary>
    protected override Task RunOnceAsync(CancellationToken stoppingToken) => redis.GetSubscriber().SubscribeAsync(OutboxWriter.WakeChannel, (_, _) => _relays[0].Writer.TryWrite(true));

    protected override Task WaitAsync(TimeSpan wait, CancellationToken stoppingToken) => base.WaitAsync(Timeout.InfiniteTimeSpan, stoppingToken);

    /// <summary>Wakes all relays of this process, for a backlog.</summary>
    public void WakeAll()
    {
        foreach (var wakeups in _relays) wakeups.Writer.TryWrite(true);
    }
}

/// <summary>Adds the outbox relay.</summary>
static class OutboxExtensions
{
    public static WebApplicationBuilder AddOutboxRelay(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<OutboxOptions>().BindConfiguration(OutboxOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        var relays = (builder.Configuration.GetSection(OutboxOptions.Section).Get<OutboxOptions>() ?? new()).Relays;
        builder.Services.AddSingleton<OutboxWakeups>();
        // AddHostedService would ignore a second service of the same type.
        for (var i = 0; i < relays; i++)
            builder.Services.AddSingleton<IHostedService>(services =>
                ActivatorUtilities.CreateInstance<OutboxRelayService>(services, ActivatorUtilities.CreateInstance<OutboxRelay>(services)));
        builder.Services.AddHostedService(services => services.GetRequiredService<OutboxWakeups>());
        builder.Services.AddHostedService<OutboxMaintenanceService>();
        return builder;
    }
}
