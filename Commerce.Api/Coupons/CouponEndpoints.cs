using System.Buffers;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.Unicode;
using Commerce.Core;
using Commerce.Core.Catalog;
using Commerce.Core.Coupons;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Http.Metadata;

namespace Commerce.Api.Coupons;

/// <summary>Coupons for members.</summary>
static class CouponEndpoints
{
    public static WebApplicationBuilder AddCouponIssuing(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<CouponCatalog>();
        builder.Services.AddSingleton<CouponIssuer>();
        builder.Services.AddSingleton<SoldOutCache>();
        builder.Services.AddHostedService(services => services.GetRequiredService<SoldOutCache>());
        builder.Services.AddSingleton<CouponDurability>();
        builder.Services.AddHostedService(services => services.GetRequiredService<CouponDurability>());
        builder.Services.AddSingleton<CouponFallbackWriter>();
        builder.Services.AddHostedService(services => services.GetRequiredService<CouponFallbackWriter>());
        return builder;
    }

    public static void MapCoupons(this IEndpointRouteBuilder app)
    {
        var coupons = app.MapGroup("/api/coupons").WithTags("Coupons").RequireAuthorization(Policies.Member);
        coupons.MapGet("/", ListAsync).WithName("ListCoupons").WithSummary("Lists current, future and past coupons.").AllowAnonymous();
        coupons.MapGet("/my", ListOwnAsync).WithName("ListOwnCoupons").WithSummary("Lists the coupons of the user.");
        coupons.MapPost("/{id:long}/issue", IssueAsync).WithName("IssueCoupon").WithSummary("Requests a coupon, first come, first served.").LimitPerUser().LimitConcurrency()
            .Refuses(CouponProblems.NotFound, CouponProblems.SoldOut, CouponProblems.AlreadyIssued, CouponProblems.NotStarted, CouponProblems.Ended, CouponProblems.GateClosed, CommonProblems.Overloaded);
        coupons.MapGet("/{id:long}/issue", StatusAsync).WithName("GetCouponIssue").WithSummary("Returns the state of a requested coupon.")
            .Refuses(CouponProblems.NotIssued, CouponProblems.GateClosed);
    }

    static ValueTask<Results<PendingIssueResult, ProblemResult>> IssueAsync(
        long id, CurrentUser user, CouponIssuer issuer, CancellationToken cancellationToken)
    {
        var issuing = issuer.IssueAsync(id, user.Id, cancellationToken);
        return issuing.IsCompletedSuccessfully ? new(AnswerTo(id, issuing.Result)) : AwaitAsync(id, issuing);

        static async ValueTask<Results<PendingIssueResult, ProblemResult>> AwaitAsync(long id, ValueTask<ProblemResult?> issuing) => AnswerTo(id, await issuing);
    }

    static Results<PendingIssueResult, ProblemResult> AnswerTo(long id, ProblemResult? refusal) => refusal is null ? new PendingIssueResult(id) : refusal;

    static async Task<Results<Ok<CouponIssueStatus>, ProblemResult>> StatusAsync(
        long id, CurrentUser user, CouponIssueTracker issues, CancellationToken cancellationToken) =>
        await issues.FindAsync(id, user.Id, cancellationToken) is { } status ? TypedResults.Ok(status) : CouponProblems.NotIssued.ToResult();

    static async Task<PageResult<OwnCoupon>> ListOwnAsync(
        CurrentUser user, CouponIssueTracker issues, CancellationToken cancellationToken, Cursor? cursor = null, [Range(1, 200)] int limit = Paging.PageSize) =>
        (await issues.ListAsync(user.Id, cursor, limit, cancellationToken)).ToResult("cursor");

    static Task<PageResult<CouponSummary>> ListAsync(
        CachedResponse<CouponSummary> pages, CouponDefinitions definitions, CouponGate gate, CancellationToken cancellationToken, Cursor? cursor = null) =>
        pages.GetAsync(cursor?.ToString(), () => SummarizeAsync(cursor, definitions, gate), cancellationToken);

    /// <summary>
    /// Reads the remaining stock from the gate. If Redis is unavailable, it is read from the database, which lags slightly.
    /// </summary>
    static async Task<Page<CouponSummary>> SummarizeAsync(Cursor? after, CouponDefinitions definitions, CouponGate gate)
    {
        var (coupons, next) = await definitions.ListPublicAsync(after, Paging.PageSize, CancellationToken.None);
        var gates = await TransientFaults.TryAsync(() => gate.InspectAsync([.. coupons.Select(c => c.Id)]), [.. coupons.Select(_ => (GateState?)null)]);
        return new([.. coupons.Zip(gates, (c, state) => new CouponSummary(
            c.Id, c.Name, c.Discount, c.TotalQuantity, Math.Max(0, state is { Current: true } ? state.Stock : c.TotalQuantity - c.IssuedQuantity), c.StartsAt, c.EndsAt,
            c.Percent, c.MinOrderAmount, c.ValidFrom, c.ValidUntil, c.ProductIds, c.EventIds))], next);
    }
}

/// <summary>A coupon in the public list.</summary>
/// <param name="Discount">Whole KRW. The discount, or its maximum if <paramref name="Percent"/> is set.</param>
/// <param name="StartsAt">The start of the issue window.</param>
/// <param name="EndsAt">The end of the issue window.</param>
/// <param name="Percent">The discount in percent of the products that the coupon applies to, rounded down. Null: a fixed
/// amount.</param>
/// <param name="MinOrderAmount">Whole KRW. The minimum price before the discount of the products that the coupon applies to, in
/// total. Null: no minimum.</param>
/// <param name="ValidFrom">Orders can use the coupon from this time on. Null: at once.</param>
/// <param name="ValidUntil">Orders can use the coupon before this time. Null: without end.</param>
/// <param name="ProductIds">The products that the coupon applies to, in addition to those of <paramref name="EventIds"/>. If both are
/// null, it applies to all products.</param>
sealed record CouponSummary(
    long Id, string Name, long Discount, int TotalQuantity, int Remaining, DateTime StartsAt, DateTime EndsAt, int? Percent, long? MinOrderAmount,
    DateTime? ValidFrom, DateTime? ValidUntil, HashSet<long>? ProductIds, HashSet<long>? EventIds);

/// <summary>
/// The response 202: the coupon is issued, and its row will be saved. The JSON is hand-written, because every successful request of a
/// rush gets it.
/// </summary>
sealed class PendingIssueResult(long couponId) : IResult, IEndpointMetadataProvider
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        Span<byte> body = stackalloc byte[64];
        Utf8.TryWrite(body, CultureInfo.InvariantCulture, $$"""{"couponId":{{couponId}},"status":"PENDING"}""", out var length);
        var response = httpContext.Response;
        response.StatusCode = StatusCodes.Status202Accepted;
        response.Headers.Location = string.Create(CultureInfo.InvariantCulture, $"/api/coupons/{couponId}/issue");
        response.ContentType = "application/json; charset=utf-8";
        response.ContentLength = length;
        response.BodyWriter.Write(body[..length]);
        return Task.CompletedTask;
    }

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(StatusCodes.Status202Accepted, typeof(PendingIssue), ["application/json"]));
}

/// <summary>The body of <see cref="PendingIssueResult"/>, for the OpenAPI document.</summary>
sealed record PendingIssue(long CouponId, string Status);
