using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.Core.Outbox;

namespace Commerce.Core.Events;

/// <summary>
/// The rows of events. Every change of the status is a conditional update. Its effects on coupons and its message commit with it.
/// MySQL's clock decides what is due.
/// </summary>
public sealed class EventRepository(MySqlDatabase database)
{
    /// <summary>
    /// The condition that the next transition of an event is its opening. An event that was not opened before its closing time only
    /// closes.
    /// </summary>
    const string Opens = "(status = 'PENDING' AND (closes_at IS NULL OR closes_at > UTC_TIMESTAMP(6)))";

    const string SelectTransition = $"""
        SELECT id AS Id, {Opens} AS Opens, version AS Version,
               TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), IF({Opens}, opens_at, closes_at)) AS Micros
        FROM event
        """;

    const string SelectOpened = """
        SELECT id AS EventId, name AS Name, opened_at AS OpenedAt, opening_seq AS Seq, TIMESTAMPDIFF(MICROSECOND, opens_at, opened_at) AS LateMicros
        FROM event
        """;

    const string Planned = "(status = 'PENDING' OR (status = 'OPEN' AND closes_at IS NOT NULL))";

    /// <summary>
    /// Schedules an event after its definition was written. It becomes PENDING with an opening time, otherwise DRAFT. Links the given
    /// coupons and products.
    /// </summary>
    /// <param name="links">The coupons and products to link. Null keeps those that the event has.</param>
    /// <returns>Whether the event's limit makes a product count its customers for the first time. If so, rebuild the inventory gate after
    /// the commit.</returns>
    /// <exception cref="ProblemException">The event is open or over. Or a coupon or product does not exist, or a coupon belongs to
    /// another event that is not over.</exception>
    public static async Task<bool> PlanAsync(DbSession transaction, long id, EventDefinition? links)
    {
        if (await transaction.ExecuteAsync(
                "UPDATE event SET status = IF(opens_at IS NULL, 'DRAFT', 'PENDING') WHERE id = @id AND status IN ('DRAFT', 'PENDING')", new { id }) == 0)
            throw new ProblemException(EventProblems.NotSchedulable);
        if (links is null) return false;
        await LinkAsync(transaction, id, links);
        var counts = false;
        foreach (var product in links.MaxPerCustomer is null ? [] : links.ProductIds ?? []) counts |= await InventoryRepository.CountCustomersAsync(transaction, product);
        return counts;
    }

    /// <summary>
    /// Cancels an event that is not over. Its coupons stay closed until they are linked to another event. Returns false if there is
    /// nothing to cancel.
    /// </summary>
    public Task<bool> CancelAsync(long id, CancellationToken cancellationToken) => database.TryExecuteInTransactionAsync(async transaction =>
    {
        if (await transaction.ExecuteAsync(
            "UPDATE event SET status = 'CANCELLED', version = version + 1 WHERE id = @id AND status IN ('DRAFT', 'PENDING', 'OPEN')", new { id }) == 0)
            return false;
        await CloseCouponsAsync(transaction, [id]);
        return true;
    }, cancellationToken);

    /// <summary>
    /// Opens the due ones of these events, with their coupons and messages. With <see cref="OpenedBy.Forced"/> it opens all pending ones.
    /// All openings are in one transaction, because they are numbered one after the other.
    /// </summary>
    /// <returns>The openings and their delays.</returns>
    public async Task<IReadOnlyList<(EventOpened Opened, TimeSpan Late)>> OpenAsync(IReadOnlyList<long> ids, string by, CancellationToken cancellationToken)
    {
        if (ids.Count == 0) return [];
        var rows = await database.ExecuteInTransactionAsync(async transaction =>
        {
            var due = await transaction.QueryAsync<long>(by == OpenedBy.Forced
                ? """
                  SELECT id FROM event WHERE id IN @ids AND status IN ('DRAFT', 'PENDING') AND (closes_at IS NULL OR closes_at > UTC_TIMESTAMP(6))
                  ORDER BY id FOR UPDATE
                  """
                : $"SELECT id FROM event WHERE id IN @ids AND {Opens} AND opens_at <= UTC_TIMESTAMP(6) ORDER BY id FOR UPDATE", new { ids });
            if (due.Count == 0) return [];
            await transaction.ExecuteAsync("""
                UPDATE event SET opens_at = IF(@forced, UTC_TIMESTAMP(6), opens_at), opened_at = UTC_TIMESTAMP(6), opened_by = @by, status = 'OPEN',
                                 version = version + 1
                WHERE id IN @due AND status IN ('DRAFT', 'PENDING')
                """, new { due, by, forced = by == OpenedBy.Forced });
            // The coupons start one minute earlier, so that a Redis server whose clock is behind does not refuse them as not started.
            await transaction.ExecuteAsync("""
                UPDATE coupon c JOIN event_coupon l ON l.coupon_id = c.id JOIN event e ON e.id = l.event_id
                SET c.status = 'ACTIVE', c.starts_at = LEAST(c.starts_at, e.opened_at - INTERVAL 1 MINUTE), c.version = c.version + 1
                WHERE l.event_id IN @due AND c.status = 'WAITING'
                """, new { due });
            // The numbers are taken last, because other openings wait for this row until the commit.
            await transaction.ExecuteAsync("UPDATE event_opening SET last = last + @Count", new { due.Count });
            await transaction.ExecuteAsync("""
                UPDATE event e JOIN (SELECT id, ROW_NUMBER() OVER (ORDER BY opens_at, id) AS place FROM event WHERE id IN @due) o ON o.id = e.id
                SET e.opening_seq = (SELECT last FROM event_opening) - @Count + o.place
                """, new { due, due.Count });
            var opened = await transaction.QueryAsync<OpenedRow>($"{SelectOpened} WHERE id IN @due ORDER BY opening_seq", new { due });
            foreach (var row in opened) await OutboxWriter.AddAsync(transaction, row.ToOpened().ToMessage());
            Checkpoints.Reach(Checkpoints.BeforeOpening);
            return opened;
        }, cancellationToken);
        if (rows.Count > 0) Checkpoints.Reach(Checkpoints.AfterOpening);
        return [.. rows.Select(row => (row.ToOpened(), TimeSpan.FromMicroseconds(row.LateMicros)))];
    }

    /// <summary>Closes the due ones of these events, opened or not, with their coupons. Returns the ids of the closed events.</summary>
    public async Task<IReadOnlyList<long>> CloseAsync(IReadOnlyList<long> ids, CancellationToken cancellationToken)
    {
        if (ids.Count == 0) return [];
        return await database.ExecuteInTransactionAsync(async transaction =>
        {
            var due = await transaction.QueryAsync<long>(
                "SELECT id FROM event WHERE id IN @ids AND status IN ('OPEN', 'PENDING') AND closes_at <= UTC_TIMESTAMP(6) ORDER BY id FOR UPDATE", new { ids });
            if (due.Count == 0) return due;
            await transaction.ExecuteAsync(
                "UPDATE event SET status = 'CLOSED', closed_at = UTC_TIMESTAMP(6), version = version + 1 WHERE id IN @due", new { due });
            await CloseCouponsAsync(transaction, due);
            return due;
        }, cancellationToken);
    }

    /// <summary>Lists the next transitions of these events. Events without one are omitted.</summary>
    public async Task<IReadOnlyList<ScheduledTransition>> ListPlannedAsync(IReadOnlyList<long> ids, CancellationToken cancellationToken) =>
        [.. (await database.QueryAsync<TransitionRow>($"{SelectTransition} WHERE id IN @ids AND {Planned}", new { ids }, cancellationToken)).Select(row => row.ToTransition())];

    /// <summary>Lists the next transitions of all events, the earliest first.</summary>
    public async Task<IReadOnlyList<ScheduledTransition>> ListPlannedAsync(CancellationToken cancellationToken) =>
        [.. (await database.QueryAsync<TransitionRow>($"{SelectTransition} WHERE {Planned} ORDER BY Micros", null, cancellationToken)).Select(row => row.ToTransition())];

    /// <summary>Lists all due transitions, the longest overdue first.</summary>
    public async Task<IReadOnlyList<ScheduledTransition>> ListDueAsync(CancellationToken cancellationToken) =>
        [.. (await database.QueryAsync<TransitionRow>($"""
            {SelectTransition} WHERE {Planned} AND IF({Opens}, opens_at, closes_at) <= UTC_TIMESTAMP(6) ORDER BY Micros
            """, null, cancellationToken)).Select(row => row.ToTransition())];

    /// <summary>Lists the versions of these events.</summary>
    public Task<IReadOnlyList<(long Id, int Version)>> ListVersionsAsync(IReadOnlyList<long> ids, CancellationToken cancellationToken) =>
        database.QueryAsync<(long Id, int Version)>("SELECT id, version FROM event WHERE id IN @ids", new { ids }, cancellationToken);

    /// <summary>Lists the coupons of these events.</summary>
    public Task<IReadOnlyList<Coupon>> ListCouponsAsync(IReadOnlyList<long> ids, CancellationToken cancellationToken) =>
        database.QueryAsync<Coupon>(
            $"SELECT {Coupon.Columns} FROM coupon WHERE id IN (SELECT coupon_id FROM event_coupon WHERE event_id IN @ids)", new { ids }, cancellationToken);

    /// <summary>Lists the openings after the number <paramref name="after"/>, in order.</summary>
    public async Task<IReadOnlyList<EventOpened>> ListOpenedAsync(long after, int limit, CancellationToken cancellationToken) =>
        [.. (await database.QueryAsync<OpenedRow>(
            $"{SelectOpened} WHERE opening_seq > @after ORDER BY opening_seq LIMIT @limit", new { after, limit }, cancellationToken)).Select(row => row.ToOpened())];

    /// <summary>Returns the number of the last opening, or 0 before the first.</summary>
    public Task<long> LastOpeningAsync(CancellationToken cancellationToken) =>
        database.SingleAsync<long>("SELECT COALESCE(MAX(opening_seq), 0) FROM event", null, cancellationToken);

    static async Task LinkAsync(DbSession transaction, long id, EventDefinition definition)
    {
        // Id 0 never exists. It keeps the list from being empty, which is not valid SQL.
        long[] coupons = [0, .. definition.CouponIds ?? []];
        long[] products = [0, .. definition.ProductIds ?? []];
        await transaction.ExecuteAsync("""
            UPDATE coupon SET status = 'ACTIVE', version = version + 1
            WHERE status = 'WAITING' AND id NOT IN @coupons AND id IN (SELECT coupon_id FROM event_coupon WHERE event_id = @id)
            """, new { id, coupons });
        await transaction.ExecuteAsync("DELETE FROM event_coupon WHERE event_id = @id AND coupon_id NOT IN @coupons", new { id, coupons });
        await transaction.ExecuteAsync("DELETE FROM event_product WHERE event_id = @id", new { id });

        // An event that is over keeps its coupons until another event needs them.
        await transaction.ExecuteAsync("""
            UPDATE event_coupon l JOIN event e ON e.id = l.event_id JOIN coupon c ON c.id = l.coupon_id SET l.event_id = @id
            WHERE l.coupon_id IN @coupons AND e.status IN ('CLOSED', 'CANCELLED') AND c.status = 'CLOSED'
            """, new { id, coupons });
        await transaction.ExecuteAsync(
            "INSERT IGNORE INTO event_coupon (coupon_id, event_id) SELECT id, @id FROM coupon WHERE id IN @coupons AND status = 'ACTIVE'", new { id, coupons });
        await transaction.ExecuteAsync("""
            UPDATE coupon SET status = 'WAITING', version = version + 1
            WHERE id IN (SELECT coupon_id FROM event_coupon WHERE event_id = @id) AND status IN ('ACTIVE', 'CLOSED')
            """, new { id });
        await transaction.ExecuteAsync("INSERT INTO event_product (event_id, product_id) SELECT @id, id FROM product WHERE id IN @products", new { id, products });

        var linked = await transaction.QueryAsync<long>("SELECT coupon_id FROM event_coupon WHERE event_id = @id", new { id });
        if (coupons.Skip(1).Except(linked).ToList() is { Count: > 0 } missing)
        {
            var elsewhere = await transaction.QueryAsync<long>("""
                SELECT l.coupon_id FROM event_coupon l JOIN event e ON e.id = l.event_id WHERE l.coupon_id IN @missing AND e.status NOT IN ('CLOSED', 'CANCELLED')
                """, new { missing });
            throw elsewhere.Count > 0
                ? new ProblemException(EventProblems.CouponLinked, $"Coupon {elsewhere[0]} belongs to another event.")
                : new ProblemException(CouponProblems.NotFound, $"Coupon {missing[0]} does not exist or is cancelled.");
        }

        var offered = await transaction.QueryAsync<long>("SELECT product_id FROM event_product WHERE event_id = @id", new { id });
        if (products.Skip(1).Except(offered).ToList() is { Count: > 0 } unknown)
            throw new ProblemException(InventoryProblems.ProductNotFound, $"Product {unknown[0]} does not exist.");
    }

    static Task<int> CloseCouponsAsync(DbSession transaction, IReadOnlyList<long> ids) =>
        transaction.ExecuteAsync("""
            UPDATE coupon c JOIN event_coupon l ON l.coupon_id = c.id SET c.status = 'CLOSED', c.version = c.version + 1
            WHERE l.event_id IN @ids AND c.status IN ('ACTIVE', 'WAITING')
            """, new { ids });

    sealed record OpenedRow(long EventId, string Name, DateTime OpenedAt, long Seq, long LateMicros)
    {
        public EventOpened ToOpened() => new(EventId, Name, OpenedAt, Seq);
    }

    sealed class TransitionRow
    {
        public long Id { get; init; }
        public bool Opens { get; init; }
        public int Version { get; init; }
        public long Micros { get; init; }

        public ScheduledTransition ToTransition() => new(new(Opens, Id), Version, TimeSpan.FromMicroseconds(Micros));
    }
}
