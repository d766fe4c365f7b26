using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;

namespace Commerce.Core.WaitingRoom;

/// <summary>A place in a waiting room.</summary>
/// <param name="Status">WAITING or ADMITTED.</param>
/// <param name="Epoch">If it differs from an earlier response, the shop has lost all places, and this is a new one.</param>
/// <param name="Position">1 is the next shopper to be admitted. Null if admitted.</param>
/// <param name="Waiting">The total number of waiting shoppers. Null if admitted.</param>
/// <param name="EstimatedSeconds">The estimated time until the admission. Null if admitted.</param>
/// <param name="RetryAfter">The time until the next request in seconds, also sent as a header. Null if admitted. A place without
/// requests is lost after <c>WaitingRoom:KeepPlace</c>.</param>
/// <param name="Pass">The value for the header Waiting-Room-Pass of orders. Null while waiting.</param>
/// <param name="PassExpiresAt">The end of the pass. Null while waiting.</param>
public sealed record WaitingRoomPlace(
    long EventId, string Status, int Epoch, long? Position = null, long? Waiting = null, long? EstimatedSeconds = null, int? RetryAfter = null, string? Pass = null, DateTime? PassExpiresAt = null);

/// <summary>
/// Waiting rooms for shoppers. An admission is committed before its pass is given out, so it outlives Redis and is not repeated.
/// </summary>
public sealed partial class WaitingRooms(
    WaitingRoomCatalog catalog, WaitingRoomGate gate, WaitingRoomRepository repository, IOptions<WaitingRoomOptions> options, TimeProvider clock, ILogger<WaitingRooms> logger)
{
    const string Waiting = "WAITING";
    const string Admitted = "ADMITTED";

    const int Attempts = 5;

    /// <summary>
    /// The number of polls per wait, and the maximum time between two polls in seconds. Shoppers poll every second at the end of the
    /// wait, and a long wait costs few requests.
    /// </summary>
    const double PollsPerWait = 10, MaxPollSeconds = 15;

    static readonly TimeSpan Opening = TimeSpan.FromMilliseconds(50);

    /// <summary>How long a request waits while another one opens the room. Hundreds of thousands of passes take some seconds.</summary>
    static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(1);

    readonly ConcurrentDictionary<long, Task> _openings = new();

    /// <summary>Finds the place of the user. Returns null if there is none.</summary>
    /// <param name="joins">Whether the user gets a place if there is none.</param>
    /// <exception cref="ProblemException">The event has no waiting room, or the room is closed.</exception>
    public async Task<WaitingRoomPlace?> EnterAsync(long eventId, string userId, bool joins, CancellationToken cancellationToken)
    {
        for (var attempt = 1; attempt <= Attempts; attempt++)
        {
            var room = await FindAsync(eventId, cancellationToken);
            var place = await gate.EnterAsync(room, userId, joins);
            switch (place.State)
            {
                case PlaceState.Closed:
                    await OpenTogetherAsync(eventId, cancellationToken);
                    break;
                case PlaceState.None:
                    return null;
                case PlaceState.Waiting:
                    var wait = place.Wait + (room.IsOpen ? TimeSpan.Zero : Max(TimeSpan.Zero, room.OpensAt - clock.GetUtcNow().UtcDateTime));
                    return new(eventId, Waiting, place.Epoch, place.Ahead + 1, place.Waiting, (long)Math.Ceiling(wait.TotalSeconds),
                        (int)Math.Clamp(Math.Ceiling(wait.TotalSeconds / PollsPerWait), 1, MaxPollSeconds));
                case PlaceState.Admitted when room.Key is { } key:
                    var expiresAt = DateTime.UnixEpoch.AddTicks(place.Expires * TimeSpan.TicksPerMicrosecond);
                    if (await repository.RecordAsync(eventId, userId, place.Epoch, expiresAt - options.Value.PassLifetime, expiresAt, cancellationToken))
                        return new(eventId, Admitted, place.Epoch, Pass: WaitingRoomPass.Create(key, eventId, userId, expiresAt), PassExpiresAt: expiresAt);
                    // The room was opened again meanwhile, or by a process that was late.
                    await OpenTogetherAsync(eventId, cancellationToken);
                    break;
                default:
                    // The key was created a moment ago and is not cached yet.
                    catalog.Forget();
                    break;
            }
        }

        throw new ProblemException(WaitingRoomProblems.Closed);
    }

    /// <summary>Gives up the place of the user.</summary>
    /// <exception cref="ProblemException">The event has no waiting room.</exception>
    public async Task LeaveAsync(long eventId, string userId, CancellationToken cancellationToken)
    {
        await FindAsync(eventId, cancellationToken);
        await gate.LeaveAsync(eventId, userId);
    }

    /// <summary>Refuses an order of products that are sold through a waiting room, unless the user has a pass for each of them.</summary>
    /// <param name="passes">The passes, separated by commas.</param>
    /// <exception cref="ProblemException">A pass is missing.</exception>
    public async Task RequirePassesAsync(string userId, IEnumerable<long> productIds, string? passes)
    {
        foreach (var productId in productIds)
        {
            var through = (await catalog.GetAsync()).OfProduct(productId);
            if (passes is not null && through.Any(room => room.Key is null))
            {
                // The key may have been created a moment ago.
                catalog.Forget();
                through = (await catalog.GetAsync()).OfProduct(productId);
            }

            if (through.Count == 0 || (passes is not null && through.Any(room => HasPass(room, userId, passes)))) continue;
            throw new ProblemException(WaitingRoomProblems.PassRequired, string.Create(CultureInfo.InvariantCulture, $"""
                Product {productId} is sold through the waiting room of event {through[0].EventId}. Join it (POST /api/events/{through[0].EventId}/waiting-room), ask until you are admitted, and order with its pass in the header {WaitingRoomPass.Header}.
                """));
        }
    }

    bool HasPass(Room room, string userId, string passes) => room.Key is { } key
        && passes.Split(',', StringSplitOptions.TrimEntries).Any(pass => WaitingRoomPass.IsValid(pass, key, room.EventId, userId, clock.GetUtcNow()));

    async Task<Room> FindAsync(long eventId, CancellationToken cancellationToken)
    {
        if ((await catalog.GetAsync().WaitAsync(cancellationToken)).Of(eventId) is { } known) return known;
        // The room may have been planned a moment ago.
        if (!await repository.ExistsAsync(eventId, cancellationToken)) throw new ProblemException(WaitingRoomProblems.NotFound);
        catalog.Forget();
        return (await catalog.GetAsync().WaitAsync(cancellationToken)).Of(eventId) ?? throw new ProblemException(WaitingRoomProblems.NotFound);
    }

    /// <summary>Opens a lost room. Many users find it lost at once, so one of their requests opens it and the others wait.</summary>
    async Task OpenTogetherAsync(long eventId, CancellationToken cancellationToken)
    {
        var opening = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var first = _openings.GetOrAdd(eventId, opening.Task);
        if (first != opening.Task)
        {
            try
            {
                await first.WaitAsync(MaxWait, clock, cancellationToken);
            }
            catch (TimeoutException)
            {
                throw new ProblemException(WaitingRoomProblems.Closed);
            }

            return;
        }

        try
        {
            await OpenAsync(eventId);
        }
        finally
        {
            _openings.TryRemove(eventId, out _);
            opening.SetResult();
        }
    }

    async Task OpenAsync(long eventId)
    {
        var epoch = await repository.FindEpochAsync(eventId, CancellationToken.None);
        var state = await gate.FindStateAsync(eventId);
        // A room of an older epoch was opened by a process that was late. Nobody can be admitted by it.
        if (state.Epoch == epoch) return;
        if (state.IsOpening || !await repository.ClaimEpochAsync(eventId, epoch, RandomNumberGenerator.GetBytes(32), CancellationToken.None))
        {
            // Another replica is opening the room.
            await Task.Delay(Opening, clock);
            return;
        }

        var admissions = await gate.OpenAsync(eventId, epoch + 1, repository.ListAdmissionsAsync(eventId, CancellationToken.None)) ?? throw new ProblemException(WaitingRoomProblems.Closed);
        catalog.Forget();
        if (epoch == 0) LogOpened(logger, eventId);
        else LogLost(logger, eventId, epoch + 1, admissions);
    }

    static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;

    [LoggerMessage(Level = LogLevel.Information, Message = "The waiting room of event {EventId} is open")]
    static partial void LogOpened(ILogger logger, long eventId);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis lost the waiting room of event {EventId}; it restarts with epoch {Epoch}, without places and with {Admissions} valid passes")]
    static partial void LogLost(ILogger logger, long eventId, int epoch, int admissions);
}
