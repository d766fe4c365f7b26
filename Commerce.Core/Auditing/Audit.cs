using Commerce.Core.Coupons;
using Commerce.Core.Database;

namespace Commerce.Core.Auditing;

/// <summary>
/// Counts whether the promises were kept, once the system has come to rest: no request running, nothing on its way to the ledger. While
/// something is on its way, the finding REST says so and the others may be early.
/// </summary>
public sealed class Audit(Ledger ledger, CouponLedger coupons, CouponGate gate)
{
    const string AtRest = "REST";

    /// <summary>Looks at everything.</summary>
    /// <exception cref="StackExchange.Redis.RedisException">Redis is out of reach.</exception>
    /// <exception cref="System.Data.Common.DbException">MySQL is out of reach.</exception>
    public async Task<AuditReport> RunAsync(CancellationToken cancellationToken)
    {
        var findings = new List<AuditFinding>
        {
            await CountAsync("I1", "issued rows ≤ the coupon's total", """
                SELECT COUNT(*) FROM coupon c JOIN (SELECT coupon_id, COUNT(*) AS issued FROM coupon_issue GROUP BY coupon_id) i ON i.coupon_id = c.id
                WHERE i.issued > c.total_quantity OR i.issued <> c.issued_quantity
                """, cancellationToken),
            await CountAsync("I2", "one row per coupon and user", """
                SELECT COUNT(*) FROM (SELECT 1 FROM coupon_issue GROUP BY coupon_id, user_id HAVING COUNT(*) > 1) twice
                """, cancellationToken),
            await CountAsync("I3", "every acceptance is honoured", "SELECT COUNT(*) FROM coupon_issue_failure", cancellationToken),
            await CountAsync("I8", "no message of the outbox is dead", "SELECT COUNT(*) FROM outbox WHERE status = 'DEAD'", cancellationToken),
        };
        var (pending, closed, unknown) = await InspectGatesAsync(cancellationToken);
        var waiting = await ledger.SingleAsync<long>("SELECT COUNT(*) FROM outbox WHERE status = 'PENDING'", null, cancellationToken);
        findings.Add(new("I4", "no row that the gate does not know of", unknown == 0, unknown));
        findings.Add(new(AtRest, "nothing is pending, no gate is closed, no message waits", pending + closed + waiting == 0, pending + closed + waiting));
        return new(findings);
    }

    async Task<AuditFinding> CountAsync(string invariant, string promise, string sql, CancellationToken cancellationToken)
    {
        var broken = await ledger.SingleAsync<long>(sql, null, cancellationToken);
        return new(invariant, promise, broken == 0, broken);
    }

    async Task<(long Pending, long Closed, long Unknown)> InspectGatesAsync(CancellationToken cancellationToken)
    {
        var gated = (await coupons.ListGatedAsync(cancellationToken)).Where(c => c.GateEpoch > 0).ToList();
        var (pending, closed, unknown) = (0L, 0L, 0L);
        foreach (var (coupon, state) in gated.Zip(await gate.InspectAsync(gated.ConvertAll(c => c.Id))))
        {
            if (state is not { Current: true })
            {
                closed++;
                continue;
            }

            var counts = await gate.CountAsync(coupon.Id);
            pending += counts.Pending;
            unknown += Math.Max(0, coupon.IssuedQuantity - counts.Users);
        }

        return (pending, closed, unknown);
    }
}

/// <summary>What an audit found.</summary>
public sealed record AuditReport(IReadOnlyList<AuditFinding> Findings)
{
    /// <summary>Whether all of it holds.</summary>
    public bool Holds => Findings.All(f => f.Holds);
}

/// <summary>One promise, and whether it was kept.</summary>
/// <param name="Invariant">Its number in <c>docs/promises.md</c>.</param>
/// <param name="Broken">How often it was not; 0 where it holds.</param>
public sealed record AuditFinding(string Invariant, string Promise, bool Holds, long Broken);
