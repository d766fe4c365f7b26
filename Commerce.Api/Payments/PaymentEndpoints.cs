using Commerce.Api.Administration;
using Commerce.Api.Idempotency;
using Commerce.Core.Orders;
using Commerce.Core.Payments;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Payments;

/// <summary>Payments for members.</summary>
static class PaymentEndpoints
{
    /// <summary>The reasons for refusing a refund.</summary>
    public static readonly IReadOnlyList<ProblemType> RefundRefusals = [PaymentProblems.NotFound, PaymentProblems.NotRefundable, PaymentProblems.InProgress];

    public static void MapPayments(this IEndpointRouteBuilder app)
    {
        var payments = app.MapGroup("/api/payments").WithTags("Payments").RequireAuthorization(Policies.Member);
        payments.MapPost("/prepare", PrepareAsync).WithName("PreparePayment").WithSummary("Prepares the payment of an order and returns the payment window.").LimitPerUser().Produces<PreparedPayment>()
            .Refuses(OrderProblems.NotFound, PaymentProblems.OrderNotPayable, PaymentProblems.HoldExpired, PaymentProblems.InProgress, PaymentProblems.AmountMismatch);
        payments.MapPost("/approve", ApproveAsync).WithName("ApprovePayment").WithSummary("Captures a payment that the user authorised in the payment window.").LimitPerUser(Budget.Payments).Produces<ApprovedPayment>().Produces<ApprovedPayment>(StatusCodes.Status202Accepted)
            .Refuses(PaymentProblems.NotFound, PaymentProblems.Refused, PaymentProblems.OrderNotPayable, PaymentProblems.HoldExpired, PaymentProblems.InProgress, PaymentProblems.Mismatch);
        payments.MapGet("/{orderId}", FindAsync).WithName("GetPayment").WithSummary("Returns the payment of an order with its attempts and refunds.")
            .Refuses(PaymentProblems.NotFound);
        payments.MapPost("/{orderId}/refund", RefundAsync).WithName("RefundPayment").WithSummary("Refunds a paid order, in full or in part.").LimitPerUser(Budget.Payments).RecordsAdministrators().Produces<RefundedPayment>()
            .Refuses(RefundRefusals);
    }

    static async Task<IResult> PrepareAsync(
        PrepareRequest request, IdempotentRequest idempotent, CurrentUser user, PaymentService payments, PublicAddress address, HttpRequest http, CancellationToken cancellationToken)
    {
        if (request.Validate() is { Count: > 0 } errors) return CommonProblems.Validation.ToResult(errors: errors);
        return await idempotent.CommitAsync(request, commit => payments.PrepareAsync(
            user.Id, request.OrderId, request.Amount, address.For(http), (transaction, prepared) => commit.CompleteAtCommit(
                transaction, StatusCodes.Status200OK, prepared, ApiJson.Default.PreparedPayment), cancellationToken), cancellationToken);
    }

    static async Task<IResult> ApproveAsync(
        ApproveRequest request, IdempotentRequest idempotent, CurrentUser user, PaymentService payments, HttpResponse response, CancellationToken cancellationToken)
    {
        if (request.Validate() is { Count: > 0 } errors) return CommonProblems.Validation.ToResult(errors: errors);
        return await idempotent.WorkAsync(request, async claim =>
        {
            var approved = await payments.ApproveAsync(user.Id, request.OrderId, request.PgPaymentId, claim.TakeAsync, (transaction, paid) =>
                claim.Complete(transaction, StatusCodes.Status200OK, paid, ApiJson.Default.ApprovedPayment), cancellationToken);
            if (approved.Status != PaymentState.Settling) return TypedResults.Ok(approved);
            response.SetRetryAfter();
            return TypedResults.Accepted($"/api/payments/{approved.OrderId}", approved);
        });
    }

    static async Task<Results<Ok<PaymentDetail>, ProblemResult>> FindAsync(
        string orderId, CurrentUser user, PaymentRepository repository, CancellationToken cancellationToken)
    {
        if (await repository.FindAsync(orderId, cancellationToken) is not { } payment || (payment.UserId != user.Id && !user.IsAdmin))
            return PaymentProblems.NotFound.ToResult();
        return TypedResults.Ok(await payment.ReadDetailAsync(repository, cancellationToken));
    }

    /// <summary>Reads all details of a payment.</summary>
    public static async Task<PaymentDetail> ReadDetailAsync(this Payment payment, PaymentRepository repository, CancellationToken cancellationToken)
    {
        var attempts = await repository.ListAttemptsAsync(payment.PaymentId, cancellationToken);
        var refunds = await repository.ListRefundsAsync(payment.PaymentId, cancellationToken);
        return new(payment.PaymentId, payment.OrderId, payment.Amount, payment.RefundedAmount, payment.Status, payment.CreatedAt, payment.PaidAt, attempts, refunds);
    }

    /// <summary>Refunds an order of any user.</summary>
    public static Task<IResult> RefundAnyAsync(
        string id, RefundRequest request, IdempotentRequest idempotent, CurrentUser user, PaymentService payments, HttpResponse response,
        CancellationToken cancellationToken) => RefundAsync(id, request, idempotent, user, payments, response, cancellationToken);

    static async Task<IResult> RefundAsync(
        string orderId, RefundRequest request, IdempotentRequest idempotent, CurrentUser user, PaymentService payments, HttpResponse response,
        CancellationToken cancellationToken)
    {
        if (request.Validate(user.IsAdmin) is { Count: > 0 } errors) return CommonProblems.Validation.ToResult(errors: errors);
        return await idempotent.WorkAsync(request, async claim =>
        {
            var refunded = await payments.RefundAsync(
                user.IsAdmin ? null : user.Id, user.Id, orderId, new(request.Amount, request.Lines, request.CouponBack), request.Reason, idempotent.Scope, claim.TakeAsync, cancellationToken);
            if (refunded.Status == PaymentState.Settling) response.SetRetryAfter();
            return TypedResults.Ok(refunded);
        });
    }

    // A response with Retry-After is not stored, so the same request can get the later result.
    static void SetRetryAfter(this HttpResponse response) => response.Headers.RetryAfter = "1";
}

/// <summary>The order to pay.</summary>
/// <param name="Amount">The amount that the user expects, in whole KRW.</param>
sealed record PrepareRequest(string OrderId, long Amount)
{
    public string OrderId { get; } = UrlValidation.CanonicalId(OrderId);

    public Dictionary<string, string[]> Validate() => PaymentFields.Check(("orderId", OrderId, PaymentFields.MaxIdLength));
}

/// <summary>The payment that the user authorised in the payment window.</summary>
/// <param name="PgPaymentId">The <c>paymentId</c> from the payment window.</param>
sealed record ApproveRequest(string OrderId, string PgPaymentId)
{
    public string OrderId { get; } = UrlValidation.CanonicalId(OrderId);

    public Dictionary<string, string[]> Validate() =>
        PaymentFields.Check(("orderId", OrderId, PaymentFields.MaxIdLength), ("pgPaymentId", PgPaymentId, PaymentFields.MaxIdLength));
}

/// <summary>A refund of an amount, of lines, or of the whole rest.</summary>
/// <param name="Amount">The amount in whole KRW, at least 1. 0 is for an order of 0 won: it returns the stock and the coupon that
/// paid the order.</param>
/// <param name="Reason">1 to 200 characters. The gateway shows it to the user.</param>
/// <param name="Lines">Units of the order's lines. The refund is what was paid for them after the discount, but at most the rest of
/// the payment. The units return to the stock unless the order was shipped. An administrator can decide otherwise.</param>
/// <param name="CouponBack">Whether the order's coupon becomes usable again. Only an administrator can set it, and only if the refund
/// returns all that remains of the payment. A coupon that paid the whole order always becomes usable again.</param>
sealed record RefundRequest(string Reason, long? Amount = null, IReadOnlyList<RefundLine>? Lines = null, bool CouponBack = false) : IReasoned
{
    const int MaxLines = 100;

    public Dictionary<string, string[]> Validate(bool isAdmin)
    {
        var errors = new Dictionary<string, string[]>();
        if (Amount is null == Lines is null) errors["amount"] = ["Required: either amount or lines."];
        else if (Amount < 0) errors["amount"] = ["Must be at least 1, or 0 for an order that its coupon paid."];
        if (Lines is { Count: 0 or > MaxLines }) errors["lines"] = [$"Must have 1 to {MaxLines} lines."];
        else if (Lines?.Any(l => l.Quantity < 1) is true) errors["lines"] = ["Each quantity must be at least 1."];
        else if (Lines?.DistinctBy(l => l.ProductId).Count() < Lines?.Count) errors["lines"] = ["Must name each product once."];
        else if (!isAdmin && Lines?.Any(l => l.Restock is not null) is true) errors["lines"] = ["Only an administrator decides about restock."];
        if (!isAdmin && CouponBack) errors["couponBack"] = ["Only an administrator gives a coupon back."];
        DisplayText.Check(errors, "reason", Reason, 200);
        return errors;
    }
}

/// <summary>Checks that several requests share.</summary>
static class PaymentFields
{
    public const int MaxIdLength = 64;

    /// <summary>Returns the errors by field. Each value must have 1 to MaxLength visible ASCII characters.</summary>
    public static Dictionary<string, string[]> Check(params IEnumerable<(string Name, string Value, int MaxLength)> fields) => fields
        .Where(f => f.Value.Length < 1 || f.Value.Length > f.MaxLength || f.Value.Any(c => c is < '!' or > '~'))
        .ToDictionary(f => f.Name, f => new[] { $"Must have 1 to {f.MaxLength} visible ASCII characters." });
}

/// <summary>All details of a payment.</summary>
/// <param name="Amount">The amount to pay, in whole KRW.</param>
/// <param name="RefundedAmount">The refunded amount in whole KRW.</param>
sealed record PaymentDetail(
    string PaymentId, string OrderId, long Amount, long RefundedAmount, string Status, DateTime CreatedAt, DateTime? PaidAt,
    IReadOnlyList<PaymentAttempt> Attempts, IReadOnlyList<Refund> Refunds);
