using System.Runtime.CompilerServices;
using Commerce.Core.Database;

namespace Commerce.Core.WaitingRoom;

/// <summary>The waiting room of an event that is planned or open.</summary>
/// <param name="Rate">The number of shoppers admitted per second.</param>
/// <param name="IsOpen">Whether the event is open. Before the opening shoppers can join, but nobody is admitted.</param>
/// <param name="OpensAt">The time of the opening, past or future.</param>
/// <param name="Key">The key that signs the passes. Null before the room was first opened.</param>
public sealed record Room(long EventId, int Rate, bool IsOpen, DateTime OpensAt, byte[]? Key)
{
    /// <summary>The products that are sold through the room.</summary>
    public IReadOnlyList<long> ProductIds { get; init; } = [];
}

/// <summary>A pass that is still valid.</summary>
/// <param name="Expires">The end of the pass in µs since 1970, by Redis' clock.</param>
public sealed record Admission(string UserId, long Expires);

/// <summary>The part of the waiting rooms that is in MySQL: their epochs, keys and admissions. Places are only in Redis.</summary>
public sealed class WaitingRoomRepository(MySqlDatabase database)
{
    const string HasRoom = "status IN ('PENDING', 'OPEN') AND waiting_room_rate IS NOT NULL";
    const int PageSize = 5_000;

    /// <summary>Lists the waiting rooms of all events that are planned or open.</summary>
    public async Task<IReadOnlyList<Room>> ListAsync(CancellationToken cancellationToken)
    {
        var rooms = await database.QueryAsync<RoomRow>($"""
            SELECT id AS EventId, waiting_room_rate AS Rate, status = 'OPEN' AS IsOpen, opens_at AS OpensAt, waiting_room_key AS `Key`
            FROM event WHERE {HasRoom}
            """, null, cancellationToken);
        if (rooms.Count == 0) return [];
        var products = (await database.QueryAsync<(long EventId, long ProductId)>(
            "SELECT event_id, product_id FROM event_product WHERE event_id IN @ids", new { ids = rooms.Select(r => r.EventId) }, cancellationToken)).ToLookup(p => p.EventId, p => p.ProductId);
        return [.. rooms.Select(r => new Room(r.EventId, r.Rate, r.IsOpen != 0, DateTime.SpecifyKind(r.OpensAt, DateTimeKind.Utc), r.Key) { ProductIds = [.. products[r.EventId]] })];
    }

    /// <summary>Returns whether an event has a waiting room now.</summary>
    public async Task<bool> ExistsAsync(long eventId, CancellationToken cancellationToken) =>
        await database.SingleAsync<int?>($"SELECT 1 FROM event WHERE id = @eventId AND {HasRoom}", new { eventId }, cancellationToken) is not null;

    /// <summary>Returns the epoch of a room, or 0 before it was first opened.</summary>
    public Task<int> FindEpochAsync(long eventId, CancellationToken cancellationToken) =>
        database.SingleAsync<int>("SELECT waiting_room_epoch FROM event WHERE id = @eventId", new { eventId }, cancellationToken);

    /// <summary>
    /// Claims the epoch after this one. From then on, admissions of an older epoch are not recorded. Returns false if another process has
    /// claimed it.
    /// </summary>
    /// <param name="key">The key that signs the passes, if the room has none yet.</param>
    public async Task<bool> ClaimEpochAsync(long eventId, int epoch, byte[] key, CancellationToken cancellationToken) => await database.ExecuteAsync("""
        UPDATE event SET waiting_room_epoch = waiting_room_epoch + 1, waiting_room_key = COALESCE(waiting_room_key, @key)
        WHERE id = @eventId AND waiting_room_epoch = @epoch
        """, new { eventId, epoch, key }, cancellationToken) == 1;

    /// <summary>
    /// Lists the admissions that may still be valid, page by page. Redis' clock decides which ones are, so the list has some more. Call
    /// it after the next epoch is claimed. No admission is recorded then, so no page misses one.
    /// </summary>
    public async IAsyncEnumerable<Admission> ListAdmissionsAsync(long eventId, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var last = new Admission("", 0); ;)
        {
            var page = await database.QueryAsync<Admission>("""
                SELECT user_id AS UserId, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', expires_at) AS Expires
                FROM waiting_room_admission
                WHERE event_id = @eventId AND expires_at > UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE
                  AND user_id >= @UserId AND (user_id > @UserId OR TIMESTAMPDIFF(MICROSECOND, '1970-01-01', expires_at) > @Expires)
                ORDER BY user_id, expires_at LIMIT @PageSize
                """, new { eventId, last.UserId, last.Expires, PageSize }, cancellationToken);
            foreach (var admission in page) yield return admission;
            if (page.Count < PageSize) yield break;
            last = page[^1];
        }
    }

    /// <summary>Records an admission once. Returns false if the room has a newer epoch, which does not include it.</summary>
    public Task<bool> RecordAsync(long eventId, string userId, int epoch, DateTime admittedAt, DateTime expiresAt, CancellationToken cancellationToken) =>
        database.TryExecuteInTransactionAsync(async transaction =>
        {
            // The row is locked until the commit, so the next epoch either includes this admission or comes first and refuses it.
            if (await transaction.SingleAsync<int>("SELECT waiting_room_epoch FROM event WHERE id = @eventId FOR SHARE", new { eventId }) != epoch) return false;
            await transaction.ExecuteAsync("""
                INSERT INTO waiting_room_admission (event_id, user_id, expires_at, admitted_at, epoch) VALUES (@eventId, @userId, @expiresAt, @admittedAt, @epoch)
                ON DUPLICATE KEY UPDATE user_id = waiting_room_admission.user_id
                """, new { eventId, userId, expiresAt, admittedAt, epoch });
            return true;
        }, cancellationToken);

    sealed record RoomRow(long EventId, int Rate, long IsOpen, DateTime OpensAt, byte[]? Key);
}
