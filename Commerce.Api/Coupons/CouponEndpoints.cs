using Commerce.Core.Coupons;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Coupons;

/// <summary>Coupons for members.</summary>
static class CouponEndpoints
{
    public static WebApplicationBuilder AddCouponIssuing(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<CouponCatalog>();
        builder.Services.AddSingleton<CouponIssuer>();
        builder.Services.AddSingleton<ClosedSales>();
        builder.Services.AddHostedService(services => services.GetRequiredService<ClosedSales>());
        builder.Services.AddSingleton<CouponSpill>();
        builder.Services.AddHostedService(services => services.GetRequiredService<CouponSpill>());
        return builder;
    }

    public static void MapCoupons(this IEndpointRouteBuilder app)
    {
        var coupons = app.MapGroup("/api/coupons").WithTags("Coupons").RequireAuthorization(Policies.Member);
        coupons.MapGet("/", ListAsync).AllowAnonymous();
        coupons.MapGet("/my", ListOwnAsync);
        coupons.MapPost("/{id:long}/issue", IssueAsync).LimitPerUser().LimitAtOnce();
        coupons.MapGet("/{id:long}/issue", StatusAsync);
    }

    static async Task<Results<Accepted<PendingIssue>, ProblemResult>> IssueAsync(
        long id, CurrentUser user, CouponIssuer issuer, CancellationToken cancellationToken)
    {
        if (await issuer.IssueAsync(id, user.Id, cancellationToken) is { } refusal) return refusal;
        return TypedResults.Accepted($"/api/coupons/{id}/issue", new PendingIssue(id));
    }

    static async Task<Results<Ok<CouponIssueStatus>, ProblemResult>> StatusAsync(
        long id, CurrentUser user, CouponIssuer issuer, CancellationToken cancellationToken) =>
        await issuer.StatusAsync(id, user.Id, cancellationToken) is { } status ? TypedResults.Ok(status) : CouponProblems.NotIssued.ToResult();

    static async Task<Ok<IReadOnlyList<OwnCoupon>>> ListOwnAsync(CurrentUser user, CouponLedger ledger, CancellationToken cancellationToken) =>
        TypedResults.Ok(await ledger.ListOfUserAsync(user.Id, cancellationToken));

    static async Task<Ok<IReadOnlyList<CouponSummary>>> ListAsync(CouponLedger ledger, CouponGate gate, CancellationToken cancellationToken)
    {
        var coupons = await ledger.ListAsync(cancellationToken);
        var stock = await StockAsync(coupons, gate);
        return TypedResults.Ok<IReadOnlyList<CouponSummary>>([.. coupons.Zip(stock, (c, left) => new CouponSummary(
            c.Id, c.Name, c.Discount, c.TotalQuantity, Math.Max(0, left ?? c.TotalQuantity - c.IssuedQuantity), c.StartsAt, c.EndsAt))]);
    }

    /// <summary>The gate knows best what is left; without it the ledger does, a little later.</summary>
    static async Task<IEnumerable<int?>> StockAsync(IReadOnlyList<Coupon> coupons, CouponGate gate)
    {
        try
        {
            return (await gate.InspectAsync([.. coupons.Select(c => c.Id)])).Select(g => g?.Stock);
        }
        catch (Exception e) when (DependencyFaults.Is(e))
        {
            return coupons.Select(_ => (int?)null);
        }
    }
}

/// <summary>A coupon in the public list.</summary>
/// <param name="Discount">Whole KRW.</param>
sealed record CouponSummary(long Id, string Name, long Discount, int TotalQuantity, int Remaining, DateTime StartsAt, DateTime EndsAt);

/// <summary>The coupon is the user's; its row is on the way.</summary>
sealed record PendingIssue(long CouponId, string Status = "PENDING");
