using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Commerce.Core.Database;
using Commerce.Core.Messaging;

namespace Commerce.Core.Coupons;

/// <summary>
/// The rows of coupons and issues. A coupon never has more issues than its total quantity, whatever the gate accepted.
/// </summary>
public sealed partial class CouponRepository(MySqlDatabase database, ILogger<CouponRepository> logger)
{
    static readonly Counter<long> Issued = CommerceTelemetry.Meter.CreateCounter<long>("commerce.coupons.issued");
    static readonly Counter<long> Unhonoured = CommerceTelemetry.Meter.CreateCounter<long>("commerce.coupons.unhonoured");

    /// <summary>Finds a coupon. Returns null if it does not exist.</summary>
    public Task<Coupon?> FindAsync(long id, CancellationToken cancellationToken) =>
        database.SingleAsync<Coupon>($"SELECT {Coupon.Columns} FROM coupon WHERE id = @id", new { id }, cancellationToken);

    /// <summary>Stops issuing. Issued coupons stay valid. Returns false if the coupon does not exist.</summary>
    public async Task<bool> CancelAsync(long id, CancellationToken cancellationToken) =>
        await database.ExecuteAsync("UPDATE coupon SET status = 'CANCELLED', version = version + 1 WHERE id = @id", new { id }, cancellationToken) == 1;

    /// <summary>
    /// Lists the coupons that need a gate. These ended at most <see cref="Coupon.GateRetention"/> ago, or have not ended.
    /// </summary>
    public Task<IReadOnlyList<Coupon>> ListGatedAsync(CancellationToken cancellationToken) =>
        database.QueryAsync<Coupon>(
            $"SELECT {Coupon.Columns} FROM coupon WHERE ends_at > UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND",
            new { seconds = (int)Coupon.GateRetention.TotalSeconds }, cancellationToken);

    /// <summary>Finds the state of one user's issue in the database. Returns null if it is unknown (yet).</summary>
    public async Task<CouponIssueStatus?> FindIssueAsync(long couponId, string userId, CancellationToken cancellationToken) =>
        await database.SingleAsync<CouponIssueStatus>("""
            SELECT coupon_id AS CouponId, 'ISSUED' AS Status, issued_at AS IssuedAt FROM coupon_issue WHERE coupon_id = @couponId AND user_id = @userId
            UNION ALL
            SELECT coupon_id, 'FAILED', accepted_at FROM coupon_issue_failure WHERE coupon_id = @couponId AND user_id = @userId
            LIMIT 1
            """, new { couponId, userId }, cancellationToken);

    /// <summary>Lists the coupons of a user, newest first, at most 200.</summary>
    public Task<IReadOnlyList<OwnCoupon>> ListOfUserAsync(string userId, Cursor? after, int limit, CancellationToken cancellationToken) =>
        database.QueryAsync<OwnCoupon>($"""
            SELECT i.coupon_id AS CouponId, c.name AS Name, c.discount AS Discount, 'ISSUED' AS Status, i.issued_at AS IssuedAt, c.ends_at AS EndsAt,
                   i.order_id AS OrderId, i.used_at AS UsedAt, c.percent AS Percent, c.min_order_amount AS MinOrderAmount, c.valid_from AS ValidFrom,
                   c.valid_until AS ValidUntil, c.product_ids AS ProductIds, c.event_ids AS EventIds
            FROM coupon_issue i JOIN coupon c ON c.id = i.coupon_id
            WHERE i.user_id = @userId {(after is null ? "" : "AND (i.issued_at, i.coupon_id) < (TIMESTAMPADD(MICROSECOND, @Rank, '1970-01-01'), @Id)")}
            ORDER BY i.issued_at DESC, i.coupon_id DESC LIMIT @limit
            """, new { userId, after?.Rank, after?.Id, limit }, cancellationToken);

    /// <summary>The partition number of an acceptance that did not come from Kafka.</summary>
    public const int NoPartition = -1;

    /// <summary>Saves acceptances and barriers in one transaction. Saving an acceptance again changes nothing.</summary>
    /// <returns>The acceptances that were not saved, with the reasons.</returns>
    public async Task<IReadOnlyList<(CouponIssued Issue, string Reason)>> SaveAsync(
        IReadOnlyList<Received<CouponIssued>> batch, CancellationToken cancellationToken)
    {
        var byCoupon = batch.Where(r => !r.Message.IsBarrier).GroupBy(r => r.Message.CouponId).OrderBy(g => g.Key)
            // If a user has several acceptances, the newest epoch counts. An older one may have been promised to nobody.
            .Select(g => (CouponId: g.Key, Issues: g.OrderByDescending(r => r.Message.Epoch).DistinctBy(r => r.Message.UserId).OrderBy(r => r.Message.UserId, StringComparer.Ordinal).ToList()))
            .ToList();

        var (saved, refused) = await database.ExecuteInTransactionAsync(async transaction =>
        {
            var refused = new List<(CouponIssued, string)>();
            var saved = 0;
            // Rows are locked in id order, so that two batches never deadlock.
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
                // Replayed dead letters are saved now and no longer count as failures.
                if (coupon.Failures > 0)
                    await transaction.ExecuteAsync("""
                        DELETE f FROM coupon_issue_failure f JOIN coupon_issue i ON i.coupon_id = f.coupon_id AND i.user_id = f.user_id
                        WHERE f.coupon_id = @couponId
                        """, new { couponId });
            }

            // A late acceptance was promised to nobody (see ChooseAsync), so it is not recorded as a failure.
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
    /// The slow path, for a batch that may exceed the total or contains acceptances of an older epoch. It skips existing rows and takes
    /// the earliest acceptances that the total allows.
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
        // These users have a dead letter that was replayed. A rebuild in between has reserved their coupons.
        var kept = coupon.Failures == 0 ? [] : (await transaction.QueryAsync<string>(
            "SELECT user_id FROM coupon_issue_failure WHERE coupon_id = @Id AND reason = 'DEAD_LETTERED'", new { coupon.Id })).ToHashSet(StringComparer.Ordinal);

        var chosen = new List<Received<CouponIssued>>();
        foreach (var received in wanted.Where(r => !there.Contains(r.Message.UserId!)).OrderBy(r => r.Message.AcceptedAt))
        {
            // The acceptance arrived after the barrier of a newer epoch, so the rebuilt gate does not include it. Its sender had missed
            // the deadline and promised nothing.
            if (received.Message.Epoch < barriers.GetValueOrDefault(received.Partition) && !kept.Contains(received.Message.UserId!))
                refused.Add((received.Message, CouponFailures.TooLate));
            else if (chosen.Count < coupon.Room) chosen.Add(received);
            else refused.Add((received.Message, CouponFailures.SoldOut));
        }

        return chosen;
    }

    /// <summary>
    /// Claims the opening of a gate. The first caller increments its epoch and gets true. Other callers get false until the lease
    /// expires.
    /// </summary>
    /// <param name="seenEpoch">The epoch that the caller has read.</param>
    public async Task<bool> ClaimGateAsync(long couponId, int seenEpoch, TimeSpan lease, CancellationToken cancellationToken) =>
        await database.ExecuteAsync("""
            UPDATE coupon SET gate_epoch = gate_epoch + 1, gate_lease_until = UTC_TIMESTAMP(6) + INTERVAL @seconds SECOND
            WHERE id = @couponId AND gate_epoch = @seenEpoch AND (gate_lease_until IS NULL OR gate_lease_until < UTC_TIMESTAMP(6))
            """, new { couponId, seenEpoch, seconds = (int)lease.TotalSeconds }, cancellationToken) == 1;

    /// <summary>Extends the lease of a claim. Returns false if another caller has claimed the gate since.</summary>
    public async Task<bool> RenewGateClaimAsync(long couponId, int epoch, TimeSpan lease, CancellationToken cancellationToken) =>
        await database.ExecuteAsync(
            "UPDATE coupon SET gate_lease_until = UTC_TIMESTAMP(6) + INTERVAL @seconds SECOND WHERE id = @couponId AND gate_epoch = @epoch",
            new { couponId, epoch, seconds = (int)lease.TotalSeconds }, cancellationToken) == 1;

    /// <summary>Ends a claim before its lease expires, so that another caller can claim the gate at once.</summary>
    public Task EndGateClaimAsync(long couponId, int epoch, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            "UPDATE coupon SET gate_lease_until = NULL WHERE id = @couponId AND gate_epoch = @epoch", new { couponId, epoch }, cancellationToken);

    /// <summary>Counts the partitions in which the barrier of this epoch was consumed.</summary>
    public Task<int> CountBarriersAsync(long couponId, int epoch, CancellationToken cancellationToken) =>
        database.SingleAsync<int>("SELECT COUNT(*) FROM coupon_fence WHERE coupon_id = @couponId AND epoch = @epoch", new { couponId, epoch }, cancellationToken);

    /// <summary>
    /// Lists the users to whom the coupon is promised, in id order, after <paramref name="after"/>. These are the users with a row and
    /// those whose message is a dead letter.
    /// </summary>
    public Task<IReadOnlyList<(string UserId, DateTime At)>> ListPromisedAsync(long couponId, string after, int limit, CancellationToken cancellationToken) =>
        database.QueryAsync<(string UserId, DateTime At)>("""
            (SELECT user_id, issued_at FROM coupon_issue WHERE coupon_id = @couponId AND user_id > @after ORDER BY user_id LIMIT @limit)
            UNION ALL
            (SELECT user_id, accepted_at FROM coupon_issue_failure f WHERE coupon_id = @couponId AND user_id > @after AND reason = 'DEAD_LETTERED'
               AND NOT EXISTS (SELECT 1 FROM coupon_issue i WHERE i.coupon_id = f.coupon_id AND i.user_id = f.user_id) ORDER BY user_id LIMIT @limit)
            ORDER BY user_id LIMIT @limit
            """, new { couponId, after, limit }, cancellationToken);

    /// <summary>Records that the issue to this user is a dead letter, unless the row exists.</summary>
    public Task RecordDeadLetterAsync(CouponIssued issue, CancellationToken cancellationToken) =>
        database.ExecuteAsync("""
            INSERT IGNORE INTO coupon_issue_failure (coupon_id, user_id, reason, accepted_at)
            SELECT @CouponId, @UserId, 'DEAD_LETTERED', TIMESTAMPADD(MICROSECOND, @AcceptedAt * 1000, '1970-01-01') FROM DUAL
            WHERE NOT EXISTS (SELECT 1 FROM coupon_issue WHERE coupon_id = @CouponId AND user_id = @UserId)
            """, new { issue.CouponId, issue.UserId, issue.AcceptedAt }, cancellationToken);

    static string ToJson(List<Received<CouponIssued>> issues)
    {
        // User ids contain no character that JSON escapes (see UserId).
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

/// <summary>Reasons why an acceptance was not saved.</summary>
public static class CouponFailures
{
    /// <summary>The total is used up.</summary>
    public const string SoldOut = "SOLD_OUT";
    /// <summary>The coupon does not exist.</summary>
    public const string UnknownCoupon = "UNKNOWN_COUPON";
    /// <summary>
    /// It arrived after a rebuild that does not include it, and was promised to nobody. It is not recorded as a failure.
    /// </summary>
    public const string TooLate = "TOO_LATE";
}

/// <summary>The state of one user's issue.</summary>
/// <param name="Status"><c>PENDING</c>, <c>ISSUED</c> or <c>FAILED</c>.</param>
/// <param name="IssuedAt">The time of the acceptance.</param>
public sealed record CouponIssueStatus(long CouponId, string Status, DateTime? IssuedAt)
{
    /// <summary>Accepted; the row is on its way.</summary>
    public const string Pending = "PENDING";
    /// <summary>The row is saved.</summary>
    public const string Issued = "ISSUED";
    /// <summary>The row could not be saved.</summary>
    public const string Failed = "FAILED";
}

/// <summary>A user's coupon, with its terms (see <see cref="Coupon"/>).</summary>
/// <param name="EndsAt">The end of the issue window.</param>
/// <param name="Status"><c>ISSUED</c>, or <c>PENDING</c> while its row is on its way. A pending coupon can already be used in an
/// order.</param>
/// <param name="OrderId">The order that uses it, or null if it is free.</param>
/// <param name="UsedAt">The time when that order was paid.</param>
public sealed record OwnCoupon(
    long CouponId, string Name, long Discount, string Status, DateTime IssuedAt, DateTime EndsAt, string? OrderId, DateTime? UsedAt, int? Percent,
    long? MinOrderAmount, DateTime? ValidFrom, DateTime? ValidUntil, HashSet<long>? ProductIds, HashSet<long>? EventIds);
