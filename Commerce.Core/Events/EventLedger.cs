using System.Globalization;
using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Orders;
using Commerce.Core.Outbox;
using Commerce.Core.Testing;
using Commerce.ServiceDefaults;

namespace Commerce.Core.Events;

/// <summary>
/// The rows of events. Every change of state is a conditional update, and what hangs on it (coupons, the message) commits with it. MySQL's
/// clock decides what is due.
/// </summary>
public sealed class EventLedger(Ledger ledger, Failpoints failpoints)
{
    // GROUP_CONCAT ends after 1024 characters; 50 ids of 19 digits have 999.
    const string Select = """
        SELECT id AS Id, name AS Name, opens_at AS OpensAt, closes_at AS ClosesAt, status AS Status, opened_at AS OpenedAt, closed_at AS ClosedAt,
               (SELECT GROUP_CONCAT(coupon_id ORDER BY coupon_id) FROM event_coupon c WHERE c.event_id = e.id) AS CouponIds,
               (SELECT GROUP_CONCAT(product_id ORDER BY product_id) FROM event_product p WHERE p.event_id = e.id) AS ProductIds
        FROM event e
        """;

    const string SelectMoment = """
        SELECT id AS Id, status = 'PENDING' AS Opens, IF(status = 'PENDING', opens_at, closes_at) AS At, version AS Version,
               TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), IF(status = 'PENDING', opens_at, closes_at)) AS Micros
        FROM event
        """;

    const string SelectOpened = """
        SELECT id AS EventId, name AS Name, opened_at AS OpenedAt, opening_seq AS Seq, TIMESTAMPDIFF(MICROSECOND, opens_at, opened_at) AS LateMicros
        FROM event
        """;

    const string Planned = "(status = 'PENDING' OR (status = 'OPEN' AND closes_at IS NOT NULL))";

    /// <summary>One event, or null.</summary>
    public async Task<SaleEvent?> FindAsync(long id, CancellationToken cancellationToken) =>
        (await ledger.SingleAsync<Row>($"{Select} WHERE id = @id", new { id }, cancellationToken))?.ToEvent();

    /// <summary>The newest events, at most 200.</summary>
    public async Task<IReadOnlyList<SaleEvent>> ListAsync(bool drafts, CancellationToken cancellationToken) =>
        [.. (await ledger.QueryAsync<Row>($"{Select} WHERE @drafts OR status <> 'DRAFT' ORDER BY id DESC LIMIT 200", new { drafts }, cancellationToken))
            .Select(row => row.ToEvent())];

    /// <summary>Creates an event: pending where it has a time, else a draft.</summary>
    /// <exception cref="ProblemException">A coupon or product is not there, or belongs to another event.</exception>
    public Task<long> CreateAsync(EventDefinition definition, CancellationToken cancellationToken) => ledger.TransactAsync(async transaction =>
    {
        await transaction.ExecuteAsync(
            "INSERT INTO event (name, opens_at, closes_at, status) VALUES (@Name, @opensAt, @closesAt, @status)",
            new
            {
                definition.Name, opensAt = EventTimes.ToLedger(definition.OpensAt), closesAt = EventTimes.ToLedger(definition.ClosesAt),
                status = definition.OpensAt is null ? EventStatus.Draft : EventStatus.Pending,
            });
        var id = await transaction.SingleAsync<long>("SELECT LAST_INSERT_ID()");
        await LinkAsync(transaction, id, definition);
        return id;
    }, cancellationToken);

    /// <summary>Replaces all that an event is; false where it is not there, or not a draft or pending any more.</summary>
    /// <exception cref="ProblemException">A coupon or product is not there, or belongs to another event.</exception>
    public Task<bool> ChangeAsync(long id, EventDefinition definition, CancellationToken cancellationToken) => ledger.TryTransactAsync(async transaction =>
    {
        if (await transaction.ExecuteAsync("""
            UPDATE event SET name = @Name, opens_at = @opensAt, closes_at = @closesAt, status = @status, version = version + 1
            WHERE id = @id AND status IN ('DRAFT', 'PENDING')
            """, new
            {
                id, definition.Name, opensAt = EventTimes.ToLedger(definition.OpensAt), closesAt = EventTimes.ToLedger(definition.ClosesAt),
                status = definition.OpensAt is null ? EventStatus.Draft : EventStatus.Pending,
            }) == 0) return false;
        await LinkAsync(transaction, id, definition);
        return true;
    }, cancellationToken);

    /// <summary>Sets the opening, and the closing where one is given; false where the event cannot have these times (any more).</summary>
    public async Task<bool> ScheduleAsync(long id, EventTimes times, CancellationToken cancellationToken) =>
        await ledger.ExecuteAsync("""
            UPDATE event SET opens_at = @opensAt, closes_at = COALESCE(@closesAt, closes_at), status = 'PENDING', version = version + 1
            WHERE id = @id AND status IN ('DRAFT', 'PENDING') AND (COALESCE(@closesAt, closes_at) > @opensAt OR COALESCE(@closesAt, closes_at) IS NULL)
            """, new { id, opensAt = EventTimes.ToLedger(times.OpensAt), closesAt = EventTimes.ToLedger(times.ClosesAt) }, cancellationToken) == 1;

    /// <summary>Cancels an event that is not over; its coupons cannot be had any more. False where there is nothing to cancel.</summary>
    public Task<bool> CancelAsync(long id, CancellationToken cancellationToken) => ledger.TryTransactAsync(async transaction =>
    {
        if (await transaction.ExecuteAsync(
            "UPDATE event SET status = 'CANCELLED', version = version + 1 WHERE id = @id AND status IN ('DRAFT', 'PENDING', 'OPEN')", new { id }) == 0)
            return false;
        await CloseCouponsAsync(transaction, id);
        return true;
    }, cancellationToken);

    /// <summary>
    /// Opens an event with its coupons and the message that tells of it; null where it is not due, or not waiting any more. One that is
    /// <see cref="OpenedBy.Forced"/> open needs no time.
    /// </summary>
    /// <returns>The opening, and how long after its time it was.</returns>
    public async Task<(EventOpened Opened, TimeSpan Late)?> OpenAsync(long id, string by, CancellationToken cancellationToken)
    {
        OpenedRow? row = null;
        await ledger.TryTransactAsync(async transaction =>
        {
            row = null;
            if (await transaction.ExecuteAsync(by == OpenedBy.Forced
                ? """
                  UPDATE event SET status = 'OPEN', opens_at = UTC_TIMESTAMP(6), opened_at = UTC_TIMESTAMP(6), opened_by = @by, version = version + 1
                  WHERE id = @id AND status IN ('DRAFT', 'PENDING') AND (closes_at IS NULL OR closes_at > UTC_TIMESTAMP(6))
                  """
                : """
                  UPDATE event SET status = 'OPEN', opened_at = UTC_TIMESTAMP(6), opened_by = @by, version = version + 1
                  WHERE id = @id AND status = 'PENDING' AND opens_at <= UTC_TIMESTAMP(6)
                  """, new { id, by }) == 0) return false;
            await transaction.ExecuteAsync("""
                UPDATE coupon c JOIN event_coupon l ON l.coupon_id = c.id JOIN event e ON e.id = l.event_id
                SET c.status = 'ACTIVE', c.starts_at = LEAST(c.starts_at, e.opened_at), c.version = c.version + 1
                WHERE l.event_id = @id AND c.status = 'WAITING'
                """, new { id });
            // Late, because whoever opens another event waits here until the commit.
            await transaction.ExecuteAsync("UPDATE event_opening SET last = last + 1");
            await transaction.ExecuteAsync("UPDATE event SET opening_seq = (SELECT last FROM event_opening) WHERE id = @id", new { id });
            row = (await transaction.SingleAsync<OpenedRow>($"{SelectOpened} WHERE id = @id", new { id }))!;
            await OutboxWriter.AddAsync(transaction, row.ToOpened().ToMessage());
            failpoints.Reach(Failpoints.BeforeOpening);
            return true;
        }, cancellationToken);
        if (row is null) return null;
        failpoints.Reach(Failpoints.AfterOpening);
        return (row.ToOpened(), TimeSpan.FromMicroseconds(row.LateMicros));
    }

    /// <summary>Closes an event whose time is over, with its coupons; false where it is not due, or not open any more.</summary>
    public Task<bool> CloseAsync(long id, CancellationToken cancellationToken) => ledger.TryTransactAsync(async transaction =>
    {
        if (await transaction.ExecuteAsync("""
            UPDATE event SET status = 'CLOSED', closed_at = UTC_TIMESTAMP(6), version = version + 1
            WHERE id = @id AND status = 'OPEN' AND closes_at <= UTC_TIMESTAMP(6)
            """, new { id }) == 0) return false;
        await CloseCouponsAsync(transaction, id);
        return true;
    }, cancellationToken);

    /// <summary>What is to happen to an event next; null where nothing is.</summary>
    public async Task<PlannedMoment?> FindPlannedAsync(long id, CancellationToken cancellationToken) =>
        (await ledger.SingleAsync<MomentRow>($"{SelectMoment} WHERE id = @id AND {Planned}", new { id }, cancellationToken))?.ToMoment();

    /// <summary>What is to happen to all events next.</summary>
    public async Task<IReadOnlyList<PlannedMoment>> ListPlannedAsync(CancellationToken cancellationToken) =>
        [.. (await ledger.QueryAsync<MomentRow>($"{SelectMoment} WHERE {Planned} ORDER BY At", null, cancellationToken)).Select(row => row.ToMoment())];

    /// <summary>The version of an event, 0 where there is none.</summary>
    public Task<int> FindVersionAsync(long id, CancellationToken cancellationToken) =>
        ledger.SingleAsync<int>("SELECT version FROM event WHERE id = @id", new { id }, cancellationToken);

    /// <summary>The coupons of an event.</summary>
    public Task<IReadOnlyList<Coupon>> ListCouponsAsync(long id, CancellationToken cancellationToken) =>
        ledger.QueryAsync<Coupon>(
            $"SELECT {Coupon.Columns} FROM coupon WHERE id IN (SELECT coupon_id FROM event_coupon WHERE event_id = @id)", new { id }, cancellationToken);

    /// <summary>The openings after the one with the number <paramref name="after"/>, in their order.</summary>
    public async Task<IReadOnlyList<EventOpened>> ListOpenedAsync(long after, int most, CancellationToken cancellationToken) =>
        [.. (await ledger.QueryAsync<OpenedRow>(
            $"{SelectOpened} WHERE opening_seq > @after ORDER BY opening_seq LIMIT @most", new { after, most }, cancellationToken)).Select(row => row.ToOpened())];

    /// <summary>The number of the last opening, 0 before the first.</summary>
    public Task<long> LastOpeningAsync(CancellationToken cancellationToken) =>
        ledger.SingleAsync<long>("SELECT COALESCE(MAX(opening_seq), 0) FROM event", null, cancellationToken);

    static async Task LinkAsync(Statements transaction, long id, EventDefinition definition)
    {
        // Id 0 is nobody's; an empty list is no SQL.
        long[] coupons = [0, .. definition.CouponIds ?? []];
        long[] products = [0, .. definition.ProductIds ?? []];
        await transaction.ExecuteAsync("""
            UPDATE coupon SET status = 'ACTIVE', version = version + 1
            WHERE status = 'WAITING' AND id NOT IN @coupons AND id IN (SELECT coupon_id FROM event_coupon WHERE event_id = @id)
            """, new { id, coupons });
        await transaction.ExecuteAsync("DELETE FROM event_coupon WHERE event_id = @id AND coupon_id NOT IN @coupons", new { id, coupons });
        await transaction.ExecuteAsync("DELETE FROM event_product WHERE event_id = @id", new { id });

        await transaction.ExecuteAsync(
            "INSERT IGNORE INTO event_coupon (coupon_id, event_id) SELECT id, @id FROM coupon WHERE id IN @coupons AND status = 'ACTIVE'", new { id, coupons });
        await transaction.ExecuteAsync(
            "UPDATE coupon SET status = 'WAITING', version = version + 1 WHERE id IN (SELECT coupon_id FROM event_coupon WHERE event_id = @id) AND status = 'ACTIVE'",
            new { id });
        await transaction.ExecuteAsync("INSERT INTO event_product (event_id, product_id) SELECT @id, id FROM product WHERE id IN @products", new { id, products });

        var linked = await transaction.QueryAsync<long>("SELECT coupon_id FROM event_coupon WHERE event_id = @id", new { id });
        if (coupons.Skip(1).Except(linked).ToList() is { Count: > 0 } missing)
        {
            var elsewhere = await transaction.QueryAsync<long>("SELECT coupon_id FROM event_coupon WHERE coupon_id IN @missing", new { missing });
            throw elsewhere.Count > 0
                ? new ProblemException(EventProblems.CouponLinked, $"Coupon {elsewhere[0]}.")
                : new ProblemException(CouponProblems.NotFound, $"Coupon {missing[0]} does not exist, or is cancelled.");
        }

        var offered = await transaction.QueryAsync<long>("SELECT product_id FROM event_product WHERE event_id = @id", new { id });
        if (products.Skip(1).Except(offered).ToList() is { Count: > 0 } unknown)
            throw new ProblemException(OrderProblems.ProductNotFound, $"Product {unknown[0]} does not exist.");
    }

    static Task<int> CloseCouponsAsync(Statements transaction, long id) =>
        transaction.ExecuteAsync("""
            UPDATE coupon c JOIN event_coupon l ON l.coupon_id = c.id SET c.status = 'CLOSED', c.version = c.version + 1
            WHERE l.event_id = @id AND c.status IN ('ACTIVE', 'WAITING')
            """, new { id });

    sealed class Row
    {
        public long Id { get; init; }
        public string Name { get; init; } = "";
        public DateTime? OpensAt { get; init; }
        public DateTime? ClosesAt { get; init; }
        public string Status { get; init; } = "";
        public DateTime? OpenedAt { get; init; }
        public DateTime? ClosedAt { get; init; }
        public string? CouponIds { get; init; }
        public string? ProductIds { get; init; }

        public SaleEvent ToEvent() => new(Id, Name, OpensAt, ClosesAt, Status, Ids(CouponIds), Ids(ProductIds), OpenedAt, ClosedAt);

        static long[] Ids(string? list) => list is null ? [] : [.. list.Split(',').Select(id => long.Parse(id, CultureInfo.InvariantCulture))];
    }

    sealed record OpenedRow(long EventId, string Name, DateTime OpenedAt, long Seq, long LateMicros)
    {
        public EventOpened ToOpened() => new(EventId, Name, OpenedAt, Seq);
    }

    sealed class MomentRow
    {
        public long Id { get; init; }
        public bool Opens { get; init; }
        public DateTime At { get; init; }
        public int Version { get; init; }
        public long Micros { get; init; }

        public PlannedMoment ToMoment() => new(new(Opens, Id), At, Version, TimeSpan.FromMicroseconds(Micros));
    }
}
