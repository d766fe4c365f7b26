using System.Net;
using System.Text.Json;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Commerce.Core.Payments;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests;

/// <summary>Orders and pays through the Api and reads the results.</summary>
public abstract class PaymentStackTests(CommerceStack stack) : StackTests(stack)
{
    protected const long Price = 12_000;

    protected MySqlDatabase Database => Stack.Services.GetRequiredService<MySqlDatabase>();

    /// <summary>A user, a product with 10 units, and an order of one unit with a prepared payment.</summary>
    protected async Task<Purchase> PrepareAsync(string name)
    {
        var purchase = await OrderAsync(name);
        using var answer = await purchase.PrepareAsync();
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return purchase;
    }

    /// <summary>A user, a product with 10 units, and an order of one unit.</summary>
    protected async Task<Purchase> OrderAsync(string name)
    {
        var product = await Stack.ProductAsync(stock: 10, Price);
        var user = (await Stack.UsersAsync(name, 1))[0];
        return new(Stack.Sandbox, user, product, await user.PlaceAsync(product.Id));
    }

    /// <summary>Creates a user, a product with 10 units, and a paid order of one unit.</summary>
    protected async Task<Purchase> PayAsync(string name)
    {
        var purchase = await PrepareAsync(name);
        await PayAsync(purchase, await purchase.AuthorizeAsync());
        return purchase;
    }

    /// <summary>Captures the payment. If the gateway timed out, waits until it is settled.</summary>
    protected async Task PayAsync(Purchase purchase, string pgPaymentId)
    {
        var told = await purchase.ApproveAsync(pgPaymentId);
        if (told == PaymentState.Settling) await Eventually.EqualAsync(PaymentState.Paid, () => PaymentStatusAsync(purchase));
        else Assert.Equal(PaymentState.Paid, told);
    }

    /// <summary>Waits until the gateway is processing the payment.</summary>
    protected Task ProcessingAsync(Purchase purchase) =>
        Eventually.GetAsync(() => Stack.Sandbox.LedgerAsync(purchase.OrderId), l => l[0].State is not "AUTHORIZED");

    protected Task<string?> PaymentStatusAsync(Purchase purchase) =>
        Database.SingleAsync<string>("SELECT status FROM payment WHERE order_id = @OrderId", new { purchase.OrderId }, Cancelled);

    protected Task<string?> OrderStatusAsync(Purchase purchase) =>
        Database.SingleAsync<string>("SELECT status FROM orders WHERE id = @OrderId", new { purchase.OrderId }, Cancelled);

    protected Task<int> StockAsync(Purchase purchase) =>
        Database.SingleAsync<int>("SELECT stock FROM product WHERE id = @Id", new { purchase.Product.Id }, Cancelled);

    /// <summary>The status of each attempt, oldest first.</summary>
    protected async Task<string> AttemptsAsync(Purchase purchase) =>
        string.Join(' ', await Database.QueryAsync<string>(
            "SELECT a.status FROM payment_attempt a JOIN payment p ON p.id = a.payment_id WHERE p.order_id = @OrderId ORDER BY a.number",
            new { purchase.OrderId }, Cancelled));

    /// <summary>Moves the end of the hold to this many milliseconds from now.</summary>
    protected Task HoldEndsAsync(Purchase purchase, int milliseconds) =>
        Database.ExecuteAsync("UPDATE orders SET hold_expires_at = UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND WHERE id = @OrderId",
            new { purchase.OrderId, microseconds = milliseconds * 1000L }, Cancelled);

    /// <summary>Checks that the order is paid once at the gateway, and that its stock is deducted.</summary>
    protected async Task ShouldBePaidAsync(Purchase purchase)
    {
        await Eventually.EqualAsync(PaymentState.Paid, () => PaymentStatusAsync(purchase));
        Assert.Equal(OrderState.Paid, await OrderStatusAsync(purchase));
        await CheckConsistencyAsync();
        Assert.Equal(Price, await purchase.CapturedAsync());
        Assert.Equal(9, await StockAsync(purchase));
    }

    /// <summary>Waits until the order is payable again, and pays it.</summary>
    protected async Task ShouldBePayableAsync(Purchase purchase)
    {
        await Eventually.EqualAsync(PaymentState.Pending, () => PaymentStatusAsync(purchase));
        await PayAsync(purchase, await purchase.AuthorizeAsync());
        await ShouldBePaidAsync(purchase);
    }
}

/// <summary>A user's order of one product.</summary>
public sealed record Purchase(Sandbox Sandbox, Shopper User, Product Product, PlacedOrder Order)
{
    public string OrderId => Order.OrderId;

    /// <summary>Prepares the payment.</summary>
    public Task<HttpResponseMessage> PrepareAsync(long? amount = null, string? key = null) =>
        User.PostAsync("/api/payments/prepare", new { OrderId, amount = amount ?? Order.TotalAmount }, key);

    /// <summary>Authorises the payment in the payment window.</summary>
    public Task<string> AuthorizeAsync(SandboxFault? fault = null) => Sandbox.PayAsync(OrderId, Order.TotalAmount, User.Id, fault);

    /// <summary>Requests the capture. The response may be a refusal.</summary>
    public Task<HttpResponseMessage> SendApproveAsync(string pgPaymentId, string? key = null) =>
        User.PostAsync("/api/payments/approve", new { OrderId, pgPaymentId }, key);

    /// <summary>Requests the capture and returns the status, or the slug of the refusal.</summary>
    public async Task<string> ApproveAsync(string pgPaymentId)
    {
        using var answer = await SendApproveAsync(pgPaymentId);
        if (!answer.IsSuccessStatusCode) return await answer.SlugAsync();
        var status = (await answer.Content.ReadFromJsonAsync<ApprovedPayment>())!.Status;
        Assert.Equal(status == PaymentState.Paid ? HttpStatusCode.OK : HttpStatusCode.Accepted, answer.StatusCode);
        return status;
    }

    /// <summary>Requests the capture. Repeats it after Retry-After, for example while the gateway does not respond.</summary>
    public Task<HttpResponseMessage> AnsweredAsync(string pgPaymentId, string? key = null)
    {
        key ??= Guid.NewGuid().ToString();
        return Eventually.GetAsync(() => SendApproveAsync(pgPaymentId, key), answer => answer.Headers.RetryAfter is null);
    }

    /// <summary>Requests the capture until the response is definite. Returns the status, or the slug of the refusal.</summary>
    public Task<string> ApprovedAsync(string pgPaymentId) => Eventually.GetAsync(() => ApproveAsync(pgPaymentId), told => told != PaymentState.Settling);

    /// <summary>Requests a refund and returns the status, or the slug of the refusal.</summary>
    public async Task<string> RefundAsync(long amount, string? key = null)
    {
        using var answer = await User.PostAsync($"/api/payments/{OrderId}/refund", new { amount, reason = "changed my mind" }, key);
        return answer.IsSuccessStatusCode ? (await answer.Content.ReadFromJsonAsync<RefundedPayment>())!.Status : await answer.SlugAsync();
    }

    /// <summary>Requests a refund, and repeats it if the gateway timed out. Returns the status, or the slug of the refusal.</summary>
    public Task<string> RefundedAsync(long amount, string? key = null)
    {
        key ??= Guid.NewGuid().ToString();
        return Eventually.GetAsync(() => RefundAsync(amount, key), told => told != PaymentState.Settling);
    }

    /// <summary>The payment as the Api shows it.</summary>
    public async Task<JsonElement> DetailAsync()
    {
        using var answer = await User.GetAsync($"/api/payments/{OrderId}");
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }

    /// <summary>The net captured amount at the gateway in whole KRW.</summary>
    public async Task<long> CapturedAsync() => (await Sandbox.LedgerAsync(OrderId)).Sum(p => p.Captured - p.Cancelled);
}
