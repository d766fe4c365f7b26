using Commerce.Core.Database;
using Commerce.ServiceDefaults;

namespace Commerce.Core.Coupons;

/// <summary>What an administrator says a coupon is.</summary>
/// <param name="Name">1 to 200 characters.</param>
/// <param name="Discount">Whole KRW, above 0.</param>
/// <param name="TotalQuantity">1 to 100,000,000; it can only grow, because the gate may have given out more than a smaller one.</param>
/// <param name="StartsAt">With the offset; kept in UTC.</param>
/// <param name="EndsAt">After <paramref name="StartsAt"/>.</param>
public sealed record CouponDefinition(string Name, long Discount, int TotalQuantity, DateTimeOffset StartsAt, DateTimeOffset EndsAt)
{
    /// <summary>The largest total quantity.</summary>
    public const int Most = 100_000_000;

    /// <summary>What is wrong with it, by field; empty where nothing is.</summary>
    public Dictionary<string, string[]> Validate()
    {
        var errors = new Dictionary<string, string[]>();
        DisplayText.Check(errors, "name", Name, 200);
        if (Discount is < 1 or > 1_000_000_000) errors["discount"] = ["1 to 1,000,000,000 won."];
        if (TotalQuantity is < 1 or > Most) errors["totalQuantity"] = ["1 to 100,000,000."];
        if (StartsAt.Year is < 2000 or > 2999) errors["startsAt"] = ["A time between the years 2000 and 2999."];
        // In the microseconds of the ledger, which would refuse a window of none.
        if (EndsAt - StartsAt < TimeSpan.FromMilliseconds(1) || EndsAt.Year > 2999) errors["endsAt"] = ["After startsAt, and before the year 3000."];
        return errors;
    }
}

/// <summary>Changes coupons. The ledger is changed first; the gate follows at once, or, where Redis is away, as soon as it is back.</summary>
public sealed class CouponAdministration(Ledger ledger, CouponLedger coupons, CouponGate gate)
{
    /// <summary>A smaller total than before.</summary>
    public static readonly Problem CannotShrink = new(409, "coupon-cannot-shrink", "The total quantity of a coupon can only grow. Cancel it instead.");

    /// <summary>More than a coupon can have.</summary>
    public static readonly Problem TooMany = new(409, "coupon-too-large", "A coupon has 100,000,000 pieces at most.");

    /// <summary>Creates a coupon; its gate opens with the first request.</summary>
    public async Task<Coupon> CreateAsync(CouponDefinition definition, CancellationToken cancellationToken)
    {
        var id = await ledger.TransactAsync(async transaction =>
        {
            await transaction.ExecuteAsync("""
                INSERT INTO coupon (name, discount, total_quantity, starts_at, ends_at)
                VALUES (@Name, @Discount, @TotalQuantity, @StartsAt, @EndsAt)
                """, Columns(definition));
            return await transaction.SingleAsync<long>("SELECT LAST_INSERT_ID()");
        }, cancellationToken);
        return (await coupons.FindAsync(id, cancellationToken))!;
    }

    /// <summary>Replaces name, discount, quantity and window.</summary>
    /// <exception cref="ProblemException">There is no such coupon, or it would shrink.</exception>
    public Task<Coupon> ChangeAsync(long id, CouponDefinition definition, CancellationToken cancellationToken) =>
        UpdateAsync(id, """
            UPDATE coupon SET name = @Name, discount = @Discount, total_quantity = @TotalQuantity, starts_at = @StartsAt, ends_at = @EndsAt,
                              version = version + 1
            WHERE id = @id AND total_quantity <= @TotalQuantity
            """, Columns(definition), CannotShrink, cancellationToken);

    /// <summary>Adds to the total quantity.</summary>
    /// <exception cref="ProblemException">There is no such coupon, or it would be too large.</exception>
    public Task<Coupon> AddStockAsync(long id, int delta, CancellationToken cancellationToken) =>
        UpdateAsync(id, "UPDATE coupon SET total_quantity = total_quantity + @delta, version = version + 1 WHERE id = @id AND total_quantity <= @most - @delta",
            new { delta, most = CouponDefinition.Most }, TooMany, cancellationToken);

    /// <summary>From now on nobody gets it; who has it keeps it.</summary>
    /// <exception cref="ProblemException">There is no such coupon.</exception>
    public Task<Coupon> CancelAsync(long id, CancellationToken cancellationToken) =>
        UpdateAsync(id, "UPDATE coupon SET status = 'CANCELLED', version = version + 1 WHERE id = @id", new { }, CouponProblems.NotFound, cancellationToken);

    /// <param name="refusal">Where the coupon is there, but was not changed.</param>
    async Task<Coupon> UpdateAsync(long id, string sql, object values, Problem refusal, CancellationToken cancellationToken)
    {
        var parameters = new Dapper.DynamicParameters(values);
        parameters.Add("id", id);
        var changed = await ledger.ExecuteAsync(sql, parameters, cancellationToken) == 1;
        var coupon = await coupons.FindAsync(id, cancellationToken) ?? throw new ProblemException(CouponProblems.NotFound);
        if (!changed) throw new ProblemException(refusal);
        try
        {
            await gate.FollowAsync(coupon);
        }
        catch (Exception e) when (DependencyFaults.Is(e))
        {
            // The keeper compares versions and lets the gate follow.
        }

        return coupon;
    }

    static object Columns(CouponDefinition d) =>
        new { d.Name, d.Discount, d.TotalQuantity, StartsAt = d.StartsAt.UtcDateTime, EndsAt = d.EndsAt.UtcDateTime };
}
