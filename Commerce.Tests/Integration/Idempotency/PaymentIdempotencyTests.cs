using System.Net;
using Commerce.Core.Payments;

namespace Commerce.Tests.Integration.Idempotency;

/// <summary>F39 for work of several transactions: prepare, approve and refund.</summary>
public sealed class PaymentIdempotencyTests(CommerceStack stack) : PaymentStackTests(stack)
{
    /// <summary>The number of concurrent requests. It is within the limit of one user per second.</summary>
    const int AtOnce = 8;

    [Fact]
    public async Task Of_many_prepares_with_one_key_one_works()
    {
        var purchase = await OrderAsync("duplicate-prepare");

        await OneWorksAsync(() => purchase.PrepareAsync(key: "prepare"));

        Assert.Equal(PaymentState.Pending, await PaymentStatusAsync(purchase));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task Of_many_approvals_with_one_key_one_works()
    {
        var purchase = await PrepareAsync("duplicate-approve");
        var authorised = await purchase.AuthorizeAsync(new("delay", "apply", DelayMs: 300));

        await OneWorksAsync(() => purchase.SendApproveAsync(authorised, "approve"));

        Assert.Equal(1, (await Stack.Sandbox.LedgerAsync(purchase.OrderId))[0].ApplyCalls);
        await ShouldBePaidAsync(purchase);
    }

    [Fact]
    public async Task Of_many_refunds_with_one_key_one_works()
    {
        var purchase = await PayAsync("duplicate-refund");

        await OneWorksAsync(() => SendRefundAsync(purchase, 1_000, "refund"));

        await CheckConsistencyAsync();
        Assert.Equal(Price - 1_000, await purchase.CapturedAsync());
        Assert.Equal(1, (await purchase.DetailAsync()).GetProperty("refunds").GetArrayLength());
    }

    [Fact]
    public async Task However_the_address_is_spelled_a_key_prepares_approves_and_refunds_once()
    {
        var purchase = await OrderAsync("spelled-payment");
        var (id, upper) = (purchase.OrderId, purchase.OrderId.ToUpperInvariant());

        await AllAnsweredAlikeAsync("prepare", Spellings("/api/payments/prepare"), new { orderId = id, amount = Price });
        var authorised = await purchase.AuthorizeAsync();
        await AllAnsweredAlikeAsync("approve", Spellings("/api/payments/approve"), new { orderId = id, pgPaymentId = authorised });
        await AllAnsweredAlikeAsync("refund",
            [.. Spellings($"/api/payments/{id}/refund"), $"/api/payments/{upper}/refund", $"/api/payments/%30{id[1..]}/refund", $"/api/payments/{upper}/Refund/"],
            new { amount = 1_000, reason = "scratched" });

        await CheckConsistencyAsync();
        Assert.Equal(1, (await purchase.Sandbox.LedgerAsync(id))[0].ApplyCalls);
        Assert.Equal(Price - 1_000, await purchase.CapturedAsync());
        Assert.Equal(1, (await purchase.DetailAsync()).GetProperty("refunds").GetArrayLength());

        static string[] Spellings(string path) =>
            [path, path + "/", path + "?again", path.Replace("payments", "Payments", StringComparison.Ordinal), path.Replace("api", "%61%70i", StringComparison.Ordinal)];

        async Task AllAnsweredAlikeAsync(string key, IEnumerable<string> paths, object body)
        {
            var told = new List<string>();
            foreach (var path in paths)
            {
                using var answer = await Eventually.GetAsync(() => purchase.User.PostAsync(path, body, key), a => a.Headers.RetryAfter is null);
                Assert.True(answer.StatusCode == HttpStatusCode.OK, $"{path}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(Cancelled)}");
                told.Add(await answer.Content.ReadAsStringAsync(Cancelled));
            }

            Assert.Single(told.Distinct());
        }
    }

    [Fact]
    public async Task An_order_is_found_by_its_id_in_either_case()
    {
        var purchase = await PrepareAsync("upper-case");
        var upper = purchase.OrderId.ToUpperInvariant();

        using var order = await purchase.User.GetAsync($"/api/orders/{upper}");
        using var payment = await purchase.User.GetAsync($"/api/payments/{upper}");
        using var prepared = await purchase.User.PostAsync("/api/payments/prepare", new { orderId = upper, amount = Price });

        Assert.All([order, payment, prepared], answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
    }

    [Fact]
    public async Task A_key_belongs_to_one_body()
    {
        var purchase = await PayAsync("other-body");
        var unpaid = await OrderAsync("other-body-unpaid");
        using var prepared = await unpaid.PrepareAsync(key: "key");
        using var refunded = await SendRefundAsync(purchase, 1_000, "key");

        using var otherAmount = await unpaid.PrepareAsync(amount: Price - 1, key: "key");
        using var otherRefund = await SendRefundAsync(purchase, 2_000, "key");

        await otherAmount.ShouldBeProblemAsync(HttpStatusCode.UnprocessableEntity, "idempotency-key-reused");
        await otherRefund.ShouldBeProblemAsync(HttpStatusCode.UnprocessableEntity, "idempotency-key-reused");
        await CheckConsistencyAsync();
        Assert.Equal(Price - 1_000, await purchase.CapturedAsync());
    }

    [Theory]
    [InlineData("/api/orders")]
    [InlineData("/api/payments/prepare")]
    [InlineData("/api/payments/approve")]
    [InlineData("/api/payments/ORDER/refund")]
    public async Task A_key_is_required_wherever_money_or_stock_moves(string path)
    {
        var purchase = await OrderAsync("keyless");
        using var request = new HttpRequestMessage(HttpMethod.Post, path.Replace("ORDER", purchase.OrderId, StringComparison.Ordinal))
        {
            Content = JsonContent.Create(new
            {
                orderId = purchase.OrderId, amount = Price, pgPaymentId = "none", reason = "none",
                items = new[] { new { productId = purchase.Product.Id, quantity = 1 } }, shipping = Shoppers.Shipping,
            }),
        };
        request.Headers.Authorization = new("Bearer", purchase.User.Token);

        using var answer = await purchase.User.Client.SendAsync(request, Cancelled);

        await answer.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "idempotency-key-missing");
    }

    static Task<HttpResponseMessage> SendRefundAsync(Purchase purchase, long amount, string key) =>
        purchase.User.PostAsync($"/api/payments/{purchase.OrderId}/refund", new { amount, reason = "changed my mind" }, key);

    /// <summary>Sends a request many times at once. One is processed, and the others get its response or "in flight".</summary>
    static async Task OneWorksAsync(Func<Task<HttpResponseMessage>> send)
    {
        var asked = 0;
        var answers = await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => Eventually.GetAsync(() =>
        {
            Interlocked.Increment(ref asked);
            return send();
        }, a => a.StatusCode == HttpStatusCode.Conflict || a.Headers.RetryAfter is null)));
        var told = new List<string>();
        foreach (var answer in answers.Where(a => a.StatusCode != HttpStatusCode.Conflict))
        {
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            told.Add(await answer.Content.ReadAsStringAsync());
        }

        Assert.Single(told.Distinct());
        // The processed request may have received Retry-After while the gateway did not respond, and its response later.
        Assert.InRange(answers.Count(a => a.StatusCode == HttpStatusCode.OK && !a.Headers.Contains("Idempotent-Replayed")), asked > AtOnce ? 0 : 1, 1);
        foreach (var answer in answers.Where(a => a.StatusCode == HttpStatusCode.Conflict))
            await answer.ShouldBeProblemAsync(HttpStatusCode.Conflict, "idempotency-key-in-flight");
        using var later = await send();
        Assert.Equal(told[0], await later.Content.ReadAsStringAsync());
        Assert.Equal(["true"], later.Headers.GetValues("Idempotent-Replayed"));
    }
}
