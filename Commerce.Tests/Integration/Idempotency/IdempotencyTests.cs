using System.Net;
using System.Security.Cryptography;
using System.Text;
using Commerce.Core.Database;
using Commerce.Core.Idempotency;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration.Idempotency;

/// <summary>F39: a repeated request takes effect once.</summary>
public sealed class IdempotencyTests(CommerceStack stack) : StackTests(stack)
{
    [Fact]
    public async Task The_same_request_gets_the_same_answer_and_makes_one_order()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync("replay", 1))[0];
        var key = Guid.NewGuid().ToString();

        using var first = await user.OrderAsync([new(product.Id, 1)], key: key);
        using var second = await user.OrderAsync([new(product.Id, 1)], key: key);

        Assert.Equal(HttpStatusCode.Created, second.StatusCode);
        Assert.Equal(await first.Content.ReadAsStringAsync(Cancelled), await second.Content.ReadAsStringAsync(Cancelled));
        Assert.Equal(first.Headers.Location, second.Headers.Location);
        Assert.Equal(first.Content.Headers.ContentType, second.Content.Headers.ContentType);
        Assert.False(first.Headers.Contains("Idempotent-Replayed"));
        Assert.Equal(["true"], second.Headers.GetValues("Idempotent-Replayed"));
        await Eventually.EqualAsync(9L, () => Stack.AvailableAsync(product.Id));
    }

    [Fact]
    public async Task Of_many_at_once_one_orders_and_all_get_its_answer_or_are_told_to_come_again()
    {
        var product = await Stack.ProductAsync(stock: 100);
        var user = (await Stack.UsersAsync("inFlight", 1))[0];
        var key = Guid.NewGuid().ToString();

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(async _ =>
        {
            using var answer = await user.OrderAsync([new(product.Id, 1)], key: key);
            return answer.IsSuccessStatusCode ? (await answer.Content.ReadFromJsonAsync<PlacedOrder>())!.OrderId : await answer.SlugAsync();
        }));

        Assert.Single(answers.Where(a => a is not ("idempotency-key-in-flight" or "rate-limited")).Distinct());
        await Eventually.EqualAsync(99L, () => Stack.AvailableAsync(product.Id));
        await CheckConsistencyAsync();
    }

    [Theory]
    [InlineData("the last piece")]
    [InlineData("the coupon")]
    public async Task What_a_request_took_is_not_denied_to_its_twins(string what)
    {
        const int Duplicates = 6;
        for (var round = 0; round < 10; round++)
        {
            var product = await Stack.ProductAsync(stock: what == "the last piece" ? 1 : 100, price: 5_000);
            var user = (await Stack.UsersAsync($"inFlight-{Guid.NewGuid()}", 1))[0];
            long? couponId = null;
            if (what == "the coupon")
            {
                couponId = (await Stack.CouponAsync(total: 1)).Id;
                Assert.Equal("", await user.TakeAsync(couponId.Value));
                await Eventually.EqualAsync(1, () => Stack.Services.GetRequiredService<MySqlDatabase>().SingleAsync<int>(
                    "SELECT COUNT(*) FROM coupon_issue WHERE coupon_id = @couponId", new { couponId }, Cancelled));
            }

            var key = Guid.NewGuid().ToString();
            var answers = await Task.WhenAll(Enumerable.Range(0, Duplicates).Select(async i =>
            {
                // The requests are staggered, so that some arrive when the first is about to commit.
                await Task.Delay(i * round / 2, Cancelled);
                using var answer = await user.OrderAsync([new(product.Id, 1)], couponId, key);
                if (answer.IsSuccessStatusCode) return (await answer.Content.ReadFromJsonAsync<PlacedOrder>())!.OrderId;
                Assert.NotNull(answer.Headers.RetryAfter);
                return await answer.SlugAsync();
            }));

            Assert.Single(answers.Where(a => a is not "idempotency-key-in-flight").Distinct());
            using var again = await user.OrderAsync([new(product.Id, 1)], couponId, key);
            Assert.Equal(HttpStatusCode.Created, again.StatusCode);
        }

        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_refusal_that_is_nobodys_doing_but_others_stays_a_refusal_for_every_twin()
    {
        var product = await Stack.ProductAsync(stock: 1);
        var users = await Stack.UsersAsync("sold-out-inFlight", 2);
        await users[0].PlaceAsync(product.Id);
        var key = Guid.NewGuid().ToString();

        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(async _ =>
        {
            using var answer = await users[1].OrderAsync([new(product.Id, 1)], key: key);
            return await answer.SlugAsync();
        }));
        using var alone = await users[1].OrderAsync([new(product.Id, 1)], key: key);

        Assert.Contains("out-of-stock", answers);
        Assert.All(answers, a => Assert.Contains(a, new[] { "out-of-stock", "idempotency-key-in-flight" }));
        await alone.ShouldBeProblemAsync(HttpStatusCode.Conflict, "out-of-stock");
    }

    [Fact]
    public async Task A_key_belongs_to_one_body_one_user_and_one_address()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var users = await Stack.UsersAsync("scope", 2);
        var key = Guid.NewGuid().ToString();
        using var first = await users[0].OrderAsync([new(product.Id, 1)], key: key);

        using var other = await users[0].OrderAsync([new(product.Id, 2)], key: key);
        using var stranger = await users[1].OrderAsync([new(product.Id, 2)], key: key);

        await other.ShouldBeProblemAsync(HttpStatusCode.UnprocessableEntity, "idempotency-key-reused");
        Assert.Equal(HttpStatusCode.Created, stranger.StatusCode);
        await Eventually.EqualAsync(7L, () => Stack.AvailableAsync(product.Id));
    }

    [Fact]
    public async Task However_the_address_is_spelled_a_key_makes_one_order()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync("spelling", 1))[0];
        var key = Guid.NewGuid().ToString();
        var body = new { items = new[] { new OrderLine(product.Id, 1) }, shipping = Shoppers.Shipping };

        var orders = new List<string>();
        foreach (var path in new[] { "/api/orders", "/api/orders/", "/Api/ORDERS", "/api/%6Frders", "/%61pi/orders/?utm=1" })
        {
            using var answer = await user.PostAsync(path, body, key);
            Assert.True(answer.IsSuccessStatusCode, $"{path}: {await answer.Content.ReadAsStringAsync(Cancelled)}");
            orders.Add((await answer.Content.ReadFromJsonAsync<PlacedOrder>(Cancelled))!.OrderId);
        }

        Assert.Single(orders.Distinct());
        await Eventually.EqualAsync(9L, () => Stack.AvailableAsync(product.Id));
    }

    [Fact]
    public async Task A_key_that_the_previous_version_stored_is_still_known()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync("previous-version", 1))[0];
        var key = Guid.NewGuid().ToString();

        using var first = await user.OrderAsync([new(product.Id, 1)], key: key);

        // The previous version hashed the path as it was sent.
        var scope = SHA256.HashData(Encoding.UTF8.GetBytes($"{user.Id}\n/api/orders\n{key}"));
        Assert.NotNull(await Stack.Services.GetRequiredService<IdempotencyStore>().FindAsync(scope, Cancelled));
    }

    [Fact]
    public async Task A_refusal_of_an_order_does_not_use_the_key_up()
    {
        var product = await Stack.ProductAsync(stock: 1);
        var users = await Stack.UsersAsync("again", 2);
        var held = await users[0].PlaceAsync(product.Id);
        var key = Guid.NewGuid().ToString();
        using var refused = await users[1].OrderAsync([new(product.Id, 1)], key: key);
        await refused.ShouldBeProblemAsync(HttpStatusCode.Conflict, "out-of-stock");

        using var cancelled = await users[0].PostAsync($"/api/orders/{held.OrderId}/cancel", null);
        using var taken = await users[1].OrderAsync([new(product.Id, 1)], key: key);

        Assert.Equal(HttpStatusCode.Created, taken.StatusCode);
    }

    [Theory]
    [InlineData(null, "idempotency-key-missing")]
    [InlineData("two words", "idempotency-key-invalid")]
    [InlineData("", "idempotency-key-invalid")]
    [InlineData("129", "idempotency-key-invalid")]
    public async Task A_key_is_required_and_is_1_to_128_visible_characters(string? key, string slug)
    {
        var user = (await Stack.UsersAsync("keyless", 1))[0];
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/orders")
        {
            Content = JsonContent.Create(new { items = new[] { new OrderLine(1, 1) }, shipping = Shoppers.Shipping }),
        };
        request.Headers.Authorization = new("Bearer", user.Token);
        if (key is not null) request.Headers.TryAddWithoutValidation("Idempotency-Key", key == "129" ? new string('k', 129) : key);

        using var answer = await user.Client.SendAsync(request, Cancelled);

        await answer.ShouldBeProblemAsync(HttpStatusCode.BadRequest, slug);
    }

    [Fact]
    public async Task A_claim_is_taken_over_after_its_lease_and_the_late_answer_of_the_first_is_not_kept()
    {
        var store = Stack.Services.GetRequiredService<IdempotencyStore>();
        var database = Stack.Services.GetRequiredService<MySqlDatabase>();
        var scope = SHA256.HashData(Encoding.UTF8.GetBytes(Guid.NewGuid().ToString()));
        var body = SHA256.HashData("body"u8);
        Assert.True(await ClaimAsync("first"));
        Assert.False(await ClaimAsync("second"));

        await database.ExecuteAsync("UPDATE idempotency_key SET lease_until = UTC_TIMESTAMP(6) WHERE scope = @scope", new { scope }, Cancelled);
        body = SHA256.HashData("other"u8);
        Assert.False(await ClaimAsync("second"));
        body = SHA256.HashData("body"u8);
        Assert.True(await ClaimAsync("second"));

        await store.CompleteAsync(scope, "first", new(200, "text/plain", null, [1]), Cancelled);
        Assert.Null((await store.FindAsync(scope, Cancelled))!.Answer);
        await store.CompleteAsync(scope, "second", new(200, "text/plain", null, [2]), Cancelled);
        Assert.Equal([2], (await store.FindAsync(scope, Cancelled))!.Answer!.Body);
        Assert.False(await ClaimAsync("third"));

        async Task<bool> ClaimAsync(string claim) =>
            await TryAsync(transaction =>
            {
                IdempotencyStore.Claim(transaction, scope, body, claim);
                return Task.CompletedTask;
            })
            || await TryAsync(transaction => IdempotencyStore.TakeOverAsync(transaction, scope, body, claim));

        async Task<bool> TryAsync(Func<DbSession, Task> claim)
        {
            try
            {
                await database.ExecuteInTransactionAsync(async transaction =>
                {
                    await claim(transaction);
                    return true;
                }, Cancelled);
                return true;
            }
            catch (IdempotencyKeyTakenException)
            {
                return false;
            }
        }
    }

    [Fact]
    public async Task Keys_are_forgotten_after_two_days_and_not_before_one()
    {
        var store = Stack.Services.GetRequiredService<IdempotencyStore>();
        var database = Stack.Services.GetRequiredService<MySqlDatabase>();
        var scopes = Enumerable.Range(0, 2).Select(_ => SHA256.HashData(Encoding.UTF8.GetBytes(Guid.NewGuid().ToString()))).ToList();
        foreach (var (i, scope) in scopes.Index())
        {
            await database.ExecuteInTransactionAsync(async transaction =>
            {
                IdempotencyStore.Claim(transaction, scope, SHA256.HashData("body"u8), "worker");
                await Task.CompletedTask;
                return true;
            }, Cancelled);
            await database.ExecuteAsync("UPDATE idempotency_key SET created_at = UTC_TIMESTAMP(6) - INTERVAL @hours HOUR WHERE scope = @scope",
                new { scope, hours = i == 0 ? 25 : 49 }, Cancelled);
        }

        await store.PurgeAsync(TimeSpan.FromHours(48), Cancelled);

        Assert.NotNull(await store.FindAsync(scopes[0], Cancelled));
        Assert.Null(await store.FindAsync(scopes[1], Cancelled));
    }
}
