using System.Buffers;
using System.Globalization;
using System.Reflection;
using System.Text.Unicode;
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
        builder.Services.AddSingleton<CouponFallbackWriter>();
        builder.Services.AddHostedService(services => services.GetRequiredService<CouponFallbackWriter>());
        return builder;
    }

    public static void MapCoupons(this IEndpointRouteBuilder app)
    {
        var coupons = app.MapGroup("/api/coupons").WithTags("Coupons").RequireAuthorization(Policies.Member);
        coupons.MapGet("/", ListAsync).WithName("ListCoupons").WithSummary("Lists current, future and past coupons.").AllowAnonymous();
        coupons.MapGet("/my", ListOwnAsync).WithName("ListOwnCoupons").WithSummary("Lists the coupons of the user.");
        coupons.MapPost("/{id:long}/issue", IssueAsync).WithName("IssueCoupon").WithSummary("Requests a coupon, first come, first served.").LimitPerUser().LimitConcurrency();
        coupons.MapGet("/{id:long}/issue", StatusAsync).WithName("GetCouponIssue").WithSummary("Returns the state of a requested coupon.");
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

    static async Task<Ok<IReadOnlyList<OwnCoupon>>> ListOwnAsync(CurrentUser user, CouponIssueTracker issues, CancellationToken cancellationToken) =>
        TypedResults.Ok(await issues.ListAsync(user.Id, cancellationToken));

    static Task<CachedResult<IReadOnlyList<CouponSummary>>> ListAsync(
        CachedResponse<IReadOnlyList<CouponSummary>> answer, CouponDefinitions definitions, CouponGate gate, CancellationToken cancellationToken) =>
        answer.GetAsync(() => SummarizeAsync(definitions, gate), cancellationToken);

    /// <summary>The gate has the current stock. Without the gate, the database has it, slightly delayed.</summary>
    static async Task<IReadOnlyList<CouponSummary>> SummarizeAsync(CouponDefinitions definitions, CouponGate gate)
    {
        var coupons = await definitions.ListPublicAsync(CancellationToken.None);
        var gates = await TransientFaults.TryAsync(() => gate.InspectAsync([.. coupons.Select(c => c.Id)]), [.. coupons.Select(_ => (GateState?)null)]);
        return [.. coupons.Zip(gates, (c, state) => new CouponSummary(
            c.Id, c.Name, c.Discount, c.TotalQuantity, Math.Max(0, state is { Current: true } ? state.Stock : c.TotalQuantity - c.IssuedQuantity), c.StartsAt, c.EndsAt))];
    }
}

/// <summary>A coupon in the public list.</summary>
/// <param name="Discount">Whole KRW.</param>
sealed record CouponSummary(long Id, string Name, long Discount, int TotalQuantity, int Remaining, DateTime StartsAt, DateTime EndsAt);

/// <summary>202: the user has the coupon, and its row follows. The JSON is hand-written, because every accepted request of a rush gets it.</summary>
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
