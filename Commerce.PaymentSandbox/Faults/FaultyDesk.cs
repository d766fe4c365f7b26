using Commerce.PaymentSandbox.Ledger;
using Commerce.PaymentSandbox.Partner;

namespace Commerce.PaymentSandbox.Faults;

/// <summary>Serves the merchant's calls and applies the faults.</summary>
sealed class FaultyDesk(FaultPlan plan, IHostApplicationLifetime lifetime, TimeProvider clock)
{
    static readonly TimeSpan MaxHang = TimeSpan.FromMinutes(2);

    /// <param name="process">Processes the call. It does not receive the caller's token, because started work is finished.</param>
    public async Task<IResult> ServeAsync(HttpContext context, Operation operation, Payment? payment, Func<Fault?, Task<PartnerAnswer>> process)
    {
        var fault = payment?.TakeFault(operation) ?? plan.Take(operation);
        switch (fault?.Kind)
        {
            case null or FaultKind.Delay or FaultKind.WrongAmount or FaultKind.WrongOrder:
                return await process(fault);
            case FaultKind.ApproveThenHang or FaultKind.ApproveThenDrop or FaultKind.ApproveThen5xx or FaultKind.ApproveThenMalformed
                or FaultKind.ApproveThenEmpty:
                await process(fault);
                break;
            default:
                await Task.Delay(TimeSpan.FromMilliseconds(fault.DelayMs), clock);
                break;
        }

        switch (fault.Kind)
        {
            case FaultKind.Hang or FaultKind.ApproveThenHang:
                using (var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping))
                    await Task.Delay(MaxHang, clock, end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                context.Abort();
                return Results.Empty;
            case FaultKind.Drop or FaultKind.ApproveThenDrop:
                context.Abort();
                return Results.Empty;
            case FaultKind.Status5xx or FaultKind.ApproveThen5xx:
                return Results.Text("<h1>Service unavailable</h1>", "text/html", statusCode: StatusCodes.Status503ServiceUnavailable);
            case FaultKind.Malformed or FaultKind.ApproveThenMalformed:
                return Results.Text("""{"code":"Success","message":"","body":{"paymentId":"2""", "application/json");
            case FaultKind.Empty or FaultKind.ApproveThenEmpty:
                return Results.Bytes(ReadOnlyMemory<byte>.Empty, "application/json");
            default:
                return PartnerAnswer.Of(fault.Code!);
        }
    }
}
