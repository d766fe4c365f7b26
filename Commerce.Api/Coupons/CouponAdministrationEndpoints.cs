using System.ComponentModel.DataAnnotations;
using Commerce.Api.Idempotency;
using Commerce.Core.Administration;
using Commerce.Core.Catalog;
using Commerce.Core.Coupons;
using Commerce.Core.Events;
using Commerce.Core.Inventory;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Coupons;

/// <summary>Coupons for administrators.</summary>
static class CouponAdministrationEndpoints
{
    public static void MapCouponAdministration(this RouteGroupBuilder administration)
    {
        var coupons = administration.MapGroup("/coupons");
        coupons.MapGet("/", ListAsync).WithName("ListCouponDefinitions").WithSummary("Lists the newest coupons.");
        coupons.MapGet("/{id:long}", FindAsync).WithName("GetCouponDefinition").WithSummary("Returns a coupon.")
            .Refuses(CouponProblems.NotFound);
        coupons.MapPost("/", CreateAsync).WithName("CreateCoupon").WithSummary("Creates a coupon: when it is issued, and the terms under which an order can use it.").TakesIdempotencyKey()
            .Refuses(InventoryProblems.ProductNotFound, EventProblems.NotFound);
        coupons.MapPut("/{id:long}", ChangeAsync).WithName("ReplaceCoupon").WithSummary("Replaces the definition of a coupon.")
            .Refuses(CouponProblems.NotFound, CouponAdministration.CannotShrink, InventoryProblems.ProductNotFound, EventProblems.NotFound);
        coupons.MapPost("/{id:long}/cancel", CancelAsync).WithName("CancelCoupon").WithSummary("Stops issuing a coupon. Issued coupons stay valid.")
            .Refuses(CouponProblems.NotFound);
        coupons.MapPost("/{id:long}/stock", AddStockAsync).WithName("AddCouponStock").WithSummary("Increases the total quantity of a coupon.").TakesIdempotencyKey()
            .Refuses(CouponProblems.NotFound, CouponAdministration.TooMany);
    }

    static async Task<PageResult<Coupon>> ListAsync(
        CouponDefinitions coupons, CancellationToken cancellationToken, long? before = null, [Range(1, 200)] int limit = Paging.PageSize) =>
        (await coupons.ListAsync(before, limit, cancellationToken)).ToResult();

    static async Task<Results<Ok<Coupon>, ProblemResult>> FindAsync(long id, CouponDefinitions coupons, CancellationToken cancellationToken) =>
        await coupons.FindAsync(id, cancellationToken) is { } coupon ? TypedResults.Ok(coupon) : CouponProblems.NotFound.ToResult();

    static async Task<Results<Created<Coupon>, ProblemResult>> CreateAsync(
        CouponDefinition definition, CouponDefinitions coupons, CancellationToken cancellationToken)
    {
        if (definition.Validate() is { Count: > 0 } errors) return CommonProblems.Validation.ToResult(errors: errors);
        var coupon = await coupons.CreateAsync(definition, cancellationToken);
        return TypedResults.Created($"/api/admin/coupons/{coupon.Id}", coupon);
    }

    static async Task<Results<Ok<Coupon>, ProblemResult>> ChangeAsync(
        long id, IfMatch ifMatch, CouponDefinition definition, CouponAdministration administration, CancellationToken cancellationToken)
    {
        if (definition.Validate() is { Count: > 0 } errors) return CommonProblems.Validation.ToResult(errors: errors);
        return TypedResults.Ok(await administration.ChangeAsync(id, definition, ifMatch.Versions, cancellationToken));
    }

    static async Task<Ok<Coupon>> CancelAsync(long id, CouponAdministration administration, CancellationToken cancellationToken) =>
        TypedResults.Ok(await administration.CancelAsync(id, cancellationToken));

    static async Task<Results<Ok<Coupon>, ProblemResult>> AddStockAsync(
        long id, StockAddition addition, CouponAdministration administration, CancellationToken cancellationToken)
    {
        if (addition.Delta is < 1 or > 1_000_000)
            return CommonProblems.Validation.ToResult(errors: new Dictionary<string, string[]> { ["delta"] = ["Must be 1 to 1,000,000."] });
        return TypedResults.Ok(await administration.AddStockAsync(id, addition.Delta, cancellationToken));
    }
}

/// <summary>Increases the total quantity of a coupon.</summary>
sealed record StockAddition(int Delta);
