using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Commerce.Core.Coupons;
using Commerce.ServiceDefaults;

namespace Commerce.Tests.Integration;

/// <summary>Users of any OpenID provider can buy.</summary>
public sealed class SubjectTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Theory]
    [InlineData("CN=Kim Cheolsu, O=회사/영업+1 \"a\" <b> 'c' \\ {d}")]
    [InlineData("longest")]
    public async Task Whatever_the_subject_is_it_gets_a_coupon_orders_pays_and_is_found(string subject)
    {
        subject += $" {Guid.NewGuid()}";
        subject = subject.StartsWith("longest", StringComparison.Ordinal) ? subject.PadRight(UserId.MaxSubjectLength, '~') : subject;
        using var client = await Stack.UserAsync(subject);
        var user = new Shopper(subject, client.DefaultRequestHeaders.Authorization!.Parameter!, Stack.Anonymous, Stack.Impatient);
        var coupon = await Stack.CouponAsync(total: 2);

        Assert.Equal("", await user.TakeAsync(coupon.Id));
        Assert.Equal("coupon-already-issued", await user.TakeAsync(coupon.Id));
        await Eventually.EqualAsync("ISSUED", async () => (await client.GetFromJsonAsync<CouponIssueStatus>($"/api/coupons/{coupon.Id}/issue", Cancelled))!.Status);
        var product = await Stack.ProductAsync(stock: 10, Price);
        var purchase = new Purchase(Stack.Sandbox, user, product, await user.PlaceAsync(product.Id, couponId: coupon.Id));
        using (var prepared = await purchase.PrepareAsync()) Assert.Equal(HttpStatusCode.OK, prepared.StatusCode);
        await PayAsync(purchase, await Stack.Sandbox.PayAsync(purchase.OrderId, purchase.Order.TotalAmount, UserId.OfSubject(subject)!));

        // The user is found by the subject, and by the id in responses.
        var found = await FindAsync(subject);
        Assert.Equal(purchase.OrderId, (string?)found["id"]);
        Assert.Equal(purchase.OrderId, (string?)(await FindAsync((string)found["userId"]!))["id"]);
        using var ticket = await client.PostAsync("/api/events/ticket", null, Cancelled);
        using var stream = await Stack.Anonymous.GetAsync(
            $"/api/events/stream?ticket={(await ticket.Content.ReadFromJsonAsync<JsonElement>(Cancelled)).GetProperty("ticket").GetString()}", HttpCompletionOption.ResponseHeadersRead, Cancelled);
        Assert.Equal(HttpStatusCode.OK, stream.StatusCode);
        // The result is never another user's order, even if the subjects differ in only one character.
        using var other = await Stack.UserAsync(subject[..^1] + "!");
        using var hidden = await other.GetAsync($"/api/orders/{purchase.OrderId}", Cancelled);
        await hidden.ShouldBeProblemAsync(HttpStatusCode.NotFound, "order-not-found");
        await CheckConsistencyAsync();
    }

    async Task<JsonNode> FindAsync(string user) =>
        Assert.Single((await Stack.Admin.GetFromJsonAsync<JsonArray>($"/api/admin/orders?userId={Uri.EscapeDataString(user)}", Cancelled))!)!;
}
