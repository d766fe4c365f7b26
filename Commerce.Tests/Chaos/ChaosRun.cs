using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Commerce.Tests.Faults;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Chaos;

/// <summary>
/// A crowd that orders, pays, cancels, refunds and collects coupons while things break. What everybody does and what breaks comes from the seed.
/// Every 2xx is remembered as a promise, and looked up in the ledger at the end.
/// </summary>
public sealed class ChaosRun(CommerceStack stack, int seed)
{
    const int Users = 100;
    const int Products = 20;
    const int Coupons = 3;
    const int StockOfEach = 60;

    static readonly TimeSpan AnswerDeadline = TimeSpan.FromSeconds(15);

    readonly ConcurrentDictionary<string, string> _promisedOrders = new();
    readonly ConcurrentDictionary<string, bool> _paid = new();
    readonly ConcurrentDictionary<string, bool> _cancelled = new();
    readonly ConcurrentDictionary<(long Coupon, string User), bool> _coupons = new();
    readonly ConcurrentDictionary<string, int> _outcomes = new();
    readonly List<Product> _products = [];
    long[] _couponIds = [];
    int _operations;

    /// <summary>How many requests were made.</summary>
    public int Operations => _operations;

    /// <summary>How often which answer came, most frequent first.</summary>
    public string Summary => string.Join(", ", _outcomes.OrderByDescending(o => o.Value).Select(o => $"{o.Key} {o.Value}"));

    /// <summary>Runs until so many requests are made and so much time is over, then ends what is broken.</summary>
    public async Task RunAsync(int operations, TimeSpan time, CancellationToken cancellationToken)
    {
        for (var i = 0; i < Products; i++) _products.Add(await stack.ProductAsync(StockOfEach, price: 2_000 + (100 * i)));
        _couponIds = [.. await Task.WhenAll(Enumerable.Range(0, Coupons).Select(async _ => (await stack.CouponAsync(total: Users / 2)).Id))];
        var users = (await stack.UsersAsync($"chaos-{seed}-{Guid.NewGuid():N}"[..24], Users)).Select(u => u.Impatient);

        var start = Stopwatch.GetTimestamp();
        using var crowdGoesHome = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var breaking = BreakAsync(crowdGoesHome.Token);
        await Task.WhenAll(users.Select((user, i) => LiveAsync(user, new Random(HashCode.Combine(seed, i)),
            () => _operations >= operations && Stopwatch.GetElapsedTime(start) >= time, cancellationToken)));
        await crowdGoesHome.CancelAsync();
        await breaking;
    }

    /// <summary>Fails where a promise was not kept. To be called at rest.</summary>
    public async Task CheckPromisesAsync(CancellationToken cancellationToken)
    {
        var ledger = stack.Services.GetRequiredService<Ledger>();
        foreach (var chunk in _promisedOrders.Keys.Chunk(500))
        {
            var states = (await ledger.QueryAsync<(string Id, string Status, string UserId)>(
                "SELECT id, status, user_id FROM orders WHERE id IN @chunk", new { chunk }, cancellationToken)).ToDictionary(o => o.Id);
            foreach (var id in chunk)
            {
                Assert.True(states.TryGetValue(id, out var order), $"Order {id} was promised and is not there.");
                Assert.Equal(_promisedOrders[id], order.UserId);
                if (_paid.ContainsKey(id)) Assert.True(order.Status is OrderState.Paid or OrderState.Refunded, $"Order {id} was paid and is {order.Status}.");
                if (_cancelled.ContainsKey(id)) Assert.Equal(OrderState.Cancelled, order.Status);
            }
        }

        foreach (var (coupon, user) in _coupons.Keys)
            Assert.Equal(1, await ledger.SingleAsync<int>(
                "SELECT COUNT(*) FROM coupon_issue WHERE coupon_id = @coupon AND user_id = @user", new { coupon, user }, cancellationToken));
    }

    async Task LiveAsync(Shopper user, Random dice, Func<bool> enough, CancellationToken cancellationToken)
    {
        var own = new List<PlacedOrder>();
        while (!enough() && !cancellationToken.IsCancellationRequested)
        {
            await Task.Delay(dice.Next(5, 60), cancellationToken);
            switch (dice.Next(10))
            {
                case 0:
                    await CollectAsync(user, _couponIds[dice.Next(Coupons)]);
                    break;
                case <= 3:
                case > 3 when own.Count == 0:
                    if (await OrderAsync(user, dice) is { } placed) own.Add(placed);
                    break;
                case <= 6:
                    await PayAsync(user, own[dice.Next(own.Count)], dice);
                    break;
                case 7:
                    await CancelAsync(user, own[dice.Next(own.Count)]);
                    break;
                case 8:
                    await RefundAsync(user, own[dice.Next(own.Count)], dice);
                    break;
                default:
                    await AskAsync("list", () => user.GetAsync("/api/orders"));
                    break;
            }
        }
    }

    async Task CollectAsync(Shopper user, long coupon)
    {
        if ((await AskAsync("coupon", () => user.PostAsync($"/api/coupons/{coupon}/issue", null))).Status == HttpStatusCode.Accepted) _coupons[(coupon, user.Id)] = true;
    }

    async Task<PlacedOrder?> OrderAsync(Shopper user, Random dice)
    {
        var lines = Enumerable.Range(0, dice.Next(1, 4)).Select(_ => new OrderLine(_products[dice.Next(Products)].Id, dice.Next(1, 3))).ToList();
        long? coupon = dice.Next(5) == 0 ? _couponIds[dice.Next(Coupons)] : null;
        var (status, body) = await AgainAsync("order", key => user.OrderAsync(lines, coupon, key));
        if (status != HttpStatusCode.Created) return null;
        var placed = body.Deserialize<PlacedOrder>(JsonSerializerOptions.Web)!;
        _promisedOrders[placed.OrderId] = user.Id;
        return placed;
    }

    async Task PayAsync(Shopper user, PlacedOrder order, Random dice)
    {
        var (prepared, _) = await AgainAsync("prepare", key => user.PostAsync("/api/payments/prepare", new { orderId = order.OrderId, amount = order.TotalAmount }, key));
        if (prepared != HttpStatusCode.OK || dice.Next(10) == 0) return;
        string pgPaymentId;
        try
        {
            pgPaymentId = await stack.Sandbox.PayAsync(order.OrderId, order.TotalAmount, user.Id, FaultOfPayment(dice));
        }
        catch (HttpRequestException)
        {
            return;
        }

        var (approved, body) = await AgainAsync("approve", key => user.PostAsync("/api/payments/approve", new { orderId = order.OrderId, pgPaymentId }, key));
        if (approved == HttpStatusCode.OK && body.GetProperty("status").GetString() == "PAID") _paid[order.OrderId] = true;
    }

    static SandboxFault? FaultOfPayment(Random dice) => dice.Next(12) switch
    {
        0 => new("approveThenDrop", "apply", Count: 1),
        1 => new("drop", "apply", Count: 1),
        2 => new("status5xx", "apply", Count: 1),
        3 => new("approveThen5xx", "apply", Count: 1),
        4 => new("code", "apply", Count: 1, Code: "NotEnoughAccountBalance"),
        5 => new("delay", "apply", DelayMs: 300),
        6 => new("malformed", "apply", Count: 1),
        _ => null,
    };

    async Task CancelAsync(Shopper user, PlacedOrder order)
    {
        if ((await AskAsync("cancel", () => user.PostAsync($"/api/orders/{order.OrderId}/cancel", null))).Status == HttpStatusCode.OK) _cancelled[order.OrderId] = true;
    }

    async Task RefundAsync(Shopper user, PlacedOrder order, Random dice)
    {
        var amount = dice.Next(2) == 0 ? order.TotalAmount : order.TotalAmount / 2;
        await AgainAsync("refund", key => user.PostAsync($"/api/payments/{order.OrderId}/refund", new { amount, reason = "chaos" }, key));
    }

    /// <summary>Makes a request with a key, and once again with the same key where no answer came or it said to come again.</summary>
    async Task<(HttpStatusCode Status, JsonElement Body)> AgainAsync(string name, Func<string, Task<HttpResponseMessage>> send)
    {
        var key = Guid.NewGuid().ToString();
        var first = await AskAsync(name, () => send(key));
        if (first.Status is not (0 or HttpStatusCode.ServiceUnavailable)) return first;
        await Task.Delay(200);
        return await AskAsync(name, () => send(key));
    }

    async Task<(HttpStatusCode Status, JsonElement Body)> AskAsync(string name, Func<Task<HttpResponseMessage>> send)
    {
        Interlocked.Increment(ref _operations);
        try
        {
            using var answer = await send().WaitAsync(AnswerDeadline);
            var text = await answer.Content.ReadAsStringAsync();
            var body = text.Length > 0 ? JsonSerializer.Deserialize<JsonElement>(text) : default;
            var outcome = answer.IsSuccessStatusCode ? ((int)answer.StatusCode).ToString(CultureInfo.InvariantCulture) : await answer.SlugAsync();
            _outcomes.AddOrUpdate($"{name} {outcome}", 1, (_, count) => count + 1);
            Assert.NotEqual("internal-error", outcome);
            return (answer.StatusCode, body);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or TimeoutException or TaskCanceledException)
        {
            _outcomes.AddOrUpdate($"{name} unanswered", 1, (_, count) => count + 1);
            return default;
        }
    }

    /// <summary>Breaks one thing after the other, and mends it.</summary>
    async Task BreakAsync(CancellationToken stop)
    {
        var dice = new Random(seed);
        // Everything once, in an order that the seed gives; then anything.
        var first = new Queue<int>(Enumerable.Range(0, Faults.Count).OrderBy(_ => dice.Next()));
        try
        {
            while (true)
            {
                await Task.Delay(TimeSpan.FromSeconds(1 + dice.NextDouble()), stop);
                var (name, breakAndMend) = Faults[first.TryDequeue(out var next) ? next : dice.Next(Faults.Count)];
                _outcomes.AddOrUpdate($"fault {name}", 1, (_, count) => count + 1);
                await breakAndMend(stack, dice);
            }
        }
        catch (OperationCanceledException)
        {
            await stack.Sandbox.ClearFaultsAsync();
        }
    }

    static readonly IReadOnlyList<(string Name, Func<CommerceStack, Random, Task> BreakAndMend)> Faults =
    [
        ("api killed", (stack, _) => KillAsync(stack, "api")),
        ("workers killed", (stack, _) => KillAsync(stack, "workers")),
        ("redis killed", (stack, _) => KillAsync(stack, "redis")),
        ("redis emptied", (stack, _) => stack.RedisAsync("FLUSHALL")),
        ("scripts flushed", (stack, _) => stack.RedisAsync("SCRIPT", "FLUSH")),
        ("broker away", async (stack, dice) =>
        {
            await stack.BrokerAwayAsync();
            await Task.Delay(dice.Next(1000, 4000));
            await stack.BrokerBackAsync();
        }),
        ("mysql frozen", async (stack, dice) =>
        {
            await stack.FreezeAsync("mysql");
            await Task.Delay(dice.Next(500, 3000));
            await stack.ThawAsync("mysql");
        }),
        ("workers frozen", async (stack, dice) =>
        {
            await stack.FreezeAsync("workers");
            await Task.Delay(dice.Next(1000, 5000));
            await stack.ThawAsync("workers");
        }),
        ("gateway unwell", async (stack, dice) =>
        {
            var seed = dice.Next();
            await using (await stack.Sandbox.WithFaultsAsync(
                new SandboxFault("approveThen5xx", "apply", Probability: 0.2, Seed: seed), new SandboxFault("drop", "cancel", Probability: 0.3, Seed: seed),
                new SandboxFault("status5xx", "history", Probability: 0.3, Seed: seed)))
                await Task.Delay(dice.Next(1000, 4000));
        }),
    ];

    static async Task KillAsync(CommerceStack stack, string resource)
    {
        await FaultInjection.KillAsync(stack, resource);
        await FaultInjection.StartAsync(stack, resource);
    }
}
