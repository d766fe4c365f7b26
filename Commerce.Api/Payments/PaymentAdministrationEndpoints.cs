using System.ComponentModel.DataAnnotations;
using Commerce.Core;
using Commerce.Core.Payments;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Payments;

/// <summary>Payments of all users, for administrators.</summary>
static class PaymentAdministrationEndpoints
{
    public static void MapPaymentAdministration(this RouteGroupBuilder administration) =>
        administration.MapGroup("/payments").MapGet("/", ListAsync).WithName("ListAllPayments").WithSummary("Lists the payments of all users.");

    static async Task<Results<PageResult<Payment>, ProblemResult>> ListAsync(
        PaymentRepository repository, CancellationToken cancellationToken, string? status = null, string? orderId = null, string? userId = null,
        [Id] string? before = null, [Range(1, 200)] int limit = 50)
    {
        if (status is not null && !PaymentState.All.Contains(status))
            return CommonProblems.Validation.ToResult(errors: new Dictionary<string, string[]> { ["status"] = [$"Must be one of {string.Join(", ", PaymentState.All)}."] });
        var payments = await repository.ListAsync(status, orderId is null ? null : UrlValidation.CanonicalId(orderId), userId is null ? null : UserId.OfText(userId), before, limit + 1, cancellationToken);
        return Pages.Of<Payment>(payments, limit, p => $"{p.PaymentId}").ToResult();
    }
}
