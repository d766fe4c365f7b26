using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Commerce.Core.Database;
using Commerce.Core.Messaging;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Logging;

namespace Commerce.Core.Coupons;

/// <summary>The rows of coupons and of who has them. Never more rows than the coupon's total, whatever the gate said.</summary>
public sealed partial class CouponRepository(MySqlDatabase database, ILogger<CouponRepository> logger)
{
    static readonly Counter<long> Issued = CommerceTelemetry.Meter.CreateCounter<long>("commerce.coupons.issued");
    static readonly Counter<long> Unhonoured = CommerceTelemetry.Meter.CreateCounter<long>("commerce.coupons.unhonoured");

    /// <summary>One coupon, or null.</summary>
    public Task<Coupon?> FindAsync(long id, CancellationToken cancellationToken) =>
        database.SingleAsync<Coupon>($"SELECT {Coupon.Columns} FROM coupon WHERE id = @id", new { id }, cancellationToken);

    /// <summary>Ends the giving out of a coupon; those who have one keep it. False where there is none.</summary>
    public async Task<bool> CancelAsync(long id, CancellationToken cancellationToken) =>
        await database.ExecuteAsync("UPDATE coupon SET status = 'CANCELLED', version = version + 1 WHERE id = @id", new { id }, cancellationToken) == 1;

    /// <summary>The coupons whose gate may be wanted: not over for longer than <see cref="Coupon.GateRetention"/>.</summary>
    public Task<IReadOnlyList<Coupon>> ListGatedAsync(CancellationToken cancellationToken) =>
        database.QueryAsync<Coupon>(
            $"SELECT {Coupon.Columns} FROM coupon WHERE ends_at > UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND",
            new { seconds = (int)Coupon.GateRetention.TotalSeconds }, cancellationToken);

    /// <summary>What the database says about one user and one coupon; null where it knows nothing (yet).</summary>
    public async Task<CouponIssueStatus?> FindIssueAsync(long couponId, string userId, CancellationToken cancellationToken) =>
        await database.SingleAsync<CouponIssueStatus>("""
            SELECT coupon_id AS CouponId, 'ISSUED' AS Status, issued_at AS IssuedAt FROM coupon_issue WHERE coupon_id = @couponId AND user_id = @userId
            UNION ALL
            SELECT coupon_id, 'FAILED', accepted_at FROM coupon_issue_failure WHERE coupon_id = @couponId AND user_id = @userId
            LIMIT 1
            """, new { couponId, userId }, cancellationToken);

    /// <summary>The coupons of one user, newest first, at most 200.</summary>
    public Task<IReadOnlyList<OwnCoupon>> ListOfUserAsync(string userId, CancellationToken cancellationToken) =>
        database.QueryAsync<OwnCoupon>("""
            SELECT i.coupon_id AS CouponId, c.name AS Name, c.discount AS Discount, 'ISSUED' AS Status, i.issued_at AS IssuedAt, c.ends_at AS EndsAt,
                   i.order_id AS OrderId, i.used_at AS UsedAt
            FROM coupon_issue i JOIN coupon c ON c.id = i.coupon_id
            WHERE i.user_id = @userId ORDER BY i.issued_at DESC LIMIT 200
            """, new { userId }, cancellationToken);

    /// <summary>The partition of an acceptance that did not come through Kafka.</summary>
    public const int NoPartition = -1;

    /// <summary>
    /// Saves acceptances, and the barriers among them, in one transaction. Those that are saved already change nothing.
    /// </summary>
    /// <returns>The acceptances that are not in the database after this, and why.</returns>
    public async Task<IReadOnlyList<(CouponIssued Issue, string Reason)>> SaveAsync(
        IReadOnlyList<Received<CouponIssued>> batch, CancellationToken cancellationToken)
    {
        var byCoupon = batch.Where(r => !r.Message.IsBarrier).GroupBy(r => r.Message.CouponId).OrderBy(g => g.Key)
            // Of several for one user the newest epoch's: an older one may have been promised to nobody.
            .Select(g => (CouponId: g.Key, Issues: g.OrderByDescending(r => r.Message.Epoch).DistinctBy(r => r.Message.UserId).OrderBy(r => r.Message.UserId, StringComparer.Ordinal).ToList()))
            .ToList();

        var (saved, refused) = await database.ExecuteInTransactionAsync(async transaction =>
        {
            var refused = new List<(CouponIssued, string)>();
            var saved = 0;
            // In the order of their ids, so that two batches never wait for each other crosswise.
            var coupons = (await transaction.QueryAsync<LockedCoupon>("""
                SELECT id AS Id, total_quantity - issued_quantity AS Room, gate_epoch AS GateEpoch,
                       (SELECT COUNT(*) FROM coupon_issue_failure f WHERE f.coupon_id = coupon.id) AS Failures
                FROM coupon WHERE id IN @ids ORDER BY id FOR UPDATE OF coupon
                """, new { ids = byCoupon.Select(c => c.CouponId).Append(0) })).ToDictionary(c => c.Id);

            foreach (var (couponId, wanted) in byCoupon)
            {
                if (!coupons.TryGetValue(couponId, out var coupon))
                {
                    refused.AddRange(wanted.Select(r => (r.Message, CouponFailures.UnknownCoupon)));
                    continue;
                }

                var fitting = wanted.Count <= coupon.Room && wanted.TrueForAll(r => r.Message.Epoch == coupon.GateEpoch)
                    ? wanted
                    : await ChooseAsync(transaction, coupon, wanted, refused);
                if (fitting.Count == 0) continue;

                var added = await transaction.ExecuteAsync("""
                    INSERT IGNORE INTO coupon_issue (coupon_id, user_id, issued_at)
                    SELECT @couponId, r.user_id, TIMESTAMPADD(MICROSECOND, r.accepted_at * 1000, '1970-01-01')
                    FROM JSON_TABLE(@rows, '$[*]' COLUMNS (user_id VARCHAR(64) PATH '$[0]', accepted_at BIGINT PATH '$[1]')) r
                    """, new { couponId, rows = ToJson(fitting) });
                await transaction.ExecuteAsync("UPDATE coupon SET issued_quantity = issued_quantity + @added WHERE id = @couponId", new { added, couponId });
                saved += added;
                // A dead letter that was sent back has come.
                if (coupon.Failures > 0)
                    await transaction.ExecuteAsync("""
                        DELETE f FROM coupon_issue_failure f JOIN coupon_issue i ON i.coupon_id = f.coupon_id AND i.user_id = f.user_id
                        WHERE f.coupon_id = @couponId
                        """, new { couponId });
            }

            // One that came too late was promised to nobody (see ChooseAsync): it leaves no trace with the user.
            foreach (var (issue, reason) in refused.Where(r => r.Item2 != CouponFailures.TooLate))
                await transaction.ExecuteAsync("""
                    INSERT IGNORE INTO coupon_issue_failure (coupon_id, user_id, reason, accepted_at)
                    VALUES (@CouponId, @UserId, @reason, TIMESTAMPADD(MICROSECOND, @AcceptedAt * 1000, '1970-01-01'))
                    """, new { issue.CouponId, issue.UserId, issue.AcceptedAt, reason });
            foreach (var (barrier, partition) in batch.Where(r => r.Message.IsBarrier))
                await transaction.ExecuteAsync(
                    "INSERT IGNORE INTO coupon_fence (coupon_id, epoch, `partition`) VALUES (@CouponId, @Epoch, @partition)",
                    new { barrier.CouponId, barrier.Epoch, partition });
            return (saved, refused);
        }, cancellationToken);

        Issued.Add(saved);
        foreach (var (issue, reason) in refused)
        {
            if (reason == CouponFailures.TooLate)
            {
                LogTooLate(logger, issue.CouponId, issue.Epoch);
                continue;
            }

            Unhonoured.Add(1, new KeyValuePair<string, object?>("reason", reason));
            LogUnhonoured(logger, issue.CouponId, reason);
        }

        return refused;
    }

    /// <summary>
    /// The slow way, for a batch that may not fit, or that has messages of an older epoch: leaves out what is there already, then takes the
    /// earliest while there is room.
    /// </summary>
    static async Task<List<Received<CouponIssued>>> ChooseAsync(
        DbSession transaction, LockedCoupon coupon, List<Received<CouponIssued>> wanted, List<(CouponIssued, string)> refused)
    {
        var there = (await transaction.QueryAsync<string>(
            "SELECT user_id FROM coupon_issue WHERE coupon_id = @Id AND user_id IN @users",
            new { coupon.Id, users = wanted.Select(r => r.Message.UserId) })).ToHashSet(StringComparer.Ordinal);
        var barriers = (await transaction.QueryAsync<(int Partition, int Epoch)>(
            "SELECT `partition`, MAX(epoch) FROM coupon_fence WHERE coupon_id = @Id GROUP BY `partition`", new { coupon.Id }))
            .ToDictionary(f => f.Partition, f => f.Epoch);
        barriers[NoPartition] = coupon.GateEpoch;
        // Sent back from the dead letters: a gate that was rebuilt meanwhile has kept theirs aside.
        var kept = coupon.Failures == 0 ? [] : (await transaction.QueryAsync<string>(
            "SELECT user_id FROM coupon_issue_failure WHERE coupon_id = @Id AND reason = 'DEAD_LETTERED'", new { coupon.Id })).ToHashSet(StringComparer.Ordinal);

        var chosen = new List<Received<CouponIssued>>();
        foreach (var received in wanted.Where(r => !there.Contains(r.Message.UserId!)).OrderBy(r => r.Message.AcceptedAt))
        {
            // Behind the barrier of a newer epoch: the gate was rebuilt without it. Whoever sent it was over its deadline and promised nothing.
            if (received.Message.Epoch < barriers.GetValueOrDefault(received.Partition) && !kept.Contains(received.Message.UserId!))
                refused.Add((received.Message, CouponFailures.TooLate));
            else if (chosen.Count < coupon.Room) chosen.Add(received);
            else refused.Add((received.Message, CouponFailures.SoldOut));
        }

        return chosen;
    }

    /// <summary>
    /// Claims the opening of a gate: raises its epoch for the one caller who comes first and wins nothing for the others while the claim's
    /// lease runs. <paramref name="seenEpoch"/> is the epoch that the caller saw last.
    /// </summary>
    public async Task<bool> ClaimGateAsync(long couponId, int seenEpoch, TimeSpan lease, CancellationToken cancellationToken) =>
        await database.ExecuteAsync("""
            UPDATE coupon SET gate_epoch = gate_epoch + 1, gate_lease_until = UTC_TIMESTAMP(6) + INTERVAL @seconds SECOND
            WHERE id = @couponId AND gate_epoch = @seenEpoch AND (gate_lease_until IS NULL OR gate_lease_until < UTC_TIMESTAMP(6))
            """, new { couponId, seenEpoch, seconds = (int)lease.TotalSeconds }, cancellationToken) == 1;

    /// <summary>Prolongs the lease of a claim; false where somebody else claimed since.</summary>
    public async Task<bool> RenewGateClaimAsync(long couponId, int epoch, TimeSpan lease, CancellationToken cancellationToken) =>
        await database.ExecuteAsync(
            "UPDATE coupon SET gate_lease_until = UTC_TIMESTAMP(6) + INTERVAL @seconds SECOND WHERE id = @couponId AND gate_epoch = @epoch",
            new { couponId, epoch, seconds = (int)lease.TotalSeconds }, cancellationToken) == 1;

    /// <summary>Ends a claim before its lease does: the gate is open, or somebody else may try at once.</summary>
    public Task EndGateClaimAsync(long couponId, int epoch, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            "UPDATE coupon SET gate_lease_until = NULL WHERE id = @couponId AND gate_epoch = @epoch", new { couponId, epoch }, cancellationToken);

    /// <summary>In how many partitions the marker of this epoch was met.</summary>
    public Task<int> CountBarriersAsync(long couponId, int epoch, CancellationToken cancellationToken) =>
        database.SingleAsync<int>("SELECT COUNT(*) FROM coupon_fence WHERE coupon_id = @couponId AND epoch = @epoch", new { couponId, epoch }, cancellationToken);

    /// <summary>
    /// To whom the coupon was promised, in the order of their ids, after <paramref name="after"/>: who has it, and whose message lies in the
    /// dead letters until it is sent back.
    /// </summary>
    public Task<IReadOnlyList<(string UserId, DateTime At)>> ListPromisedAsync(long couponId, string after, int limit, CancellationToken cancellationToken) =>
        database.QueryAsync<(string UserId, DateTime At)>("""
            (SELECT user_id, issued_at FROM coupon_issue WHERE coupon_id = @couponId AND user_id > @after ORDER BY user_id LIMIT @limit)
            UNION ALL
            (SELECT user_id, accepted_at FROM coupon_issue_failure f WHERE coupon_id = @couponId AND user_id > @after AND reason = 'DEAD_LETTERED'
               AND NOT EXISTS (SELECT 1 FROM coupon_issue i WHERE i.coupon_id = f.coupon_id AND i.user_id = f.user_id) ORDER BY user_id LIMIT @limit)
            ORDER BY user_id LIMIT @limit
            """, new { couponId, after, limit }, cancellationToken);

    /// <summary>Notes that the issue of this user lies in the dead letters, unless it came another way.</summary>
    public Task RecordDeadLetterAsync(CouponIssued issue, CancellationToken cancellationToken) =>
        database.ExecuteAsync("""
            INSERT IGNORE INTO coupon_issue_failure (coupon_id, user_id, reason, accepted_at)
            SELECT @CouponId, @UserId, 'DEAD_LETTERED', TIMESTAMPADD(MICROSECOND, @AcceptedAt * 1000, '1970-01-01') FROM DUAL
            WHERE NOT EXISTS (SELECT 1 FROM coupon_issue WHERE coupon_id = @CouponId AND user_id = @UserId)
            """, new { issue.CouponId, issue.UserId, issue.AcceptedAt }, cancellationToken);

    static string ToJson(List<Received<CouponIssued>> issues)
    {
        // User ids have no character that JSON escapes (see UserId).
        var json = new StringBuilder(issues.Count * 40).Append('[');
        foreach (var (issue, _) in issues)
            json.Append(json.Length > 1 ? ",[\"" : "[\"").Append(issue.UserId).Append("\",").Append(CultureInfo.InvariantCulture, $"{issue.AcceptedAt}").Append(']');
        return json.Append(']').ToString();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Coupon {CouponId}: dropped an acceptance of epoch {Epoch} that arrived after the rebuild of its gate; it was promised to nobody")]
    static partial void LogTooLate(ILogger logger, long couponId, int epoch);

    [LoggerMessage(Level = LogLevel.Error, Message = "An acceptance of coupon {CouponId} cannot be honoured: {Reason}. See the table coupon_issue_failure")]
    static partial void LogUnhonoured(ILogger logger, long couponId, string reason);

    sealed record LockedCoupon(long Id, long Room, int GateEpoch, long Failures);
}

/// <summary>Why an acceptance could not be honoured.</summary>
public static class CouponFailures
{
    /// <summary>The database has no room left.</summary>
    public const string SoldOut = "SOLD_OUT";
    /// <summary>The database has no such coupon.</summary>
    public const string UnknownCoupon = "UNKNOWN_COUPON";
    /// <summary>It came after the gate had been rebuilt without it, and had been promised to nobody. Not kept with the failures.</summary>
    public const string TooLate = "TOO_LATE";
}

/// <summary>The state of one user's issue.</summary>
/// <param name="Status"><see cref="Pending"/>, <see cref="Issued"/> or <see cref="Failed"/>.</param>
/// <param name="IssuedAt">When the gate accepted.</param>
public sealed record CouponIssueStatus(long CouponId, string Status, DateTime? IssuedAt)
{
    /// <summary>Accepted, on the way to the database.</summary>
    public const string Pending = "PENDING";
    /// <summary>In the database.</summary>
    public const string Issued = "ISSUED";
    /// <summary>The database could not take it.</summary>
    public const string Failed = "FAILED";
}

/// <summary>A coupon that a user has.</summary>
/// <param name="Status"><c>ISSUED</c>, or <c>PENDING</c> while its row is on the way; an order may name it already.</param>
/// <param name="OrderId">The order that takes it; null where it can be used.</param>
/// <param name="UsedAt">When that order was paid.</param>
public sealed record OwnCoupon(
    long CouponId, string Name, long Discount, string Status, DateTime IssuedAt, DateTime EndsAt, string? OrderId, DateTime? UsedAt);
