using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Commerce.Core.Payments;
using Commerce.Core.WaitingRoom;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Faults.Chaos;

/// <summary>
/// Many users order, pay, cancel, refund, request coupons and wait in a waiting room, at two replicas of the Api, while faults occur.
/// The seed determines users and faults. Every 2xx is recorded as a promise and checked in the database at the end.
/// </summary>
public sealed class ChaosRun(CommerceStack stack, int seed)
{
    const int Users = 100;
    const int Products = 20;
    const int StockOfEach = 30;

    /// <summary>One in this many products has a limit, which a few orders reach.</summary>
    const int ProductsOfLimit = 4;

    const int MaxPerCustomer = 3;

    /// <summary>The rate of the event's waiting room. It is so low that shoppers wait, and order again, while faults occur.</summary>
    const int AdmittedPerSecond = 2;

    /// <summary>One in this many users calls the replica with short holds.</summary>
    const int UsersOfReplica = 4;

    const string OrderOf0Won = "order of 0 won";

    const string RefundOf0Won = "refund of 0 won";

    const string RefundByLine = "refund by line";

    const string HoldTimeOfReplica = "00:00:03";

    static readonly TimeSpan AnswerDeadline = TimeSpan.FromSeconds(15);

    readonly ConcurrentDictionary<string, Promises> _orders = new();
    readonly ConcurrentDictionary<(long Coupon, string User), bool> _coupons = new();
    readonly ConcurrentDictionary<(string User, DateTime Expires), bool> _passes = new();
    readonly ConcurrentDictionary<string, bool> _restocked = new();
    readonly ConcurrentDictionary<string, string> _authorised = new();
    readonly ConcurrentDictionary<string, int> _outcomes = new();
    readonly ConcurrentQueue<string> _faults = new();
    readonly List<Product> _products = [];
    long[] _couponIds = [];
    Product _inLine = null!;
    long _room;
    int _operations;
    int _answered;

    /// <summary>The number of requests.</summary>
    public int Operations => _operations;

    /// <summary>The faults in order, with their durations.</summary>
    public string Faults => string.Join(", ", _faults);

    /// <summary>The responses by frequency.</summary>
    public string Summary => string.Join(", ", _outcomes.OrderByDescending(o => o.Value).Select(o => $"{o.Key} {o.Value}"));

    MySqlDatabase Database => stack.Services.GetRequiredService<MySqlDatabase>();

    /// <summary>
    /// Runs until all planned faults have had an effect, and until the minimum number of requests and the minimum time are reached. No
    /// fault is active at the end.
    /// </summary>
    public async Task RunAsync(int operations, TimeSpan time, CancellationToken cancellationToken)
    {
        for (var i = 0; i < Products; i++) _products.Add(await stack.ProductAsync(StockOfEach, price: 2_000 + (100 * i), maxPerCustomer: i % ProductsOfLimit == 0 ? MaxPerCustomer : null));
        // The coupons are a fixed amount, a percentage of some products, and one that pays the whole order.
        Func<CouponDefinition, CouponDefinition>[] terms =
        [
            d => d,
            d => d with { Percent = 30, Discount = 2_000, MinOrderAmount = 5_000, ValidUntil = d.EndsAt.AddDays(1), ProductIds = [.. _products.Where((_, i) => i % 2 == 0).Select(p => p.Id)] },
            d => d with { Discount = 1_000_000 },
        ];
        _couponIds = [.. await Task.WhenAll(terms.Select(async change => (await stack.CouponAsync(total: Users / 2, change: change)).Id))];
        _inLine = await stack.ProductAsync(StockOfEach * Products, price: 2_000);
        _room = (await stack.EventAsync(opensIn: 3600, productIds: [_inLine.Id], waitingRoomRate: AdmittedPerSecond, maxPerCustomer: MaxPerCustomer)).Id;
        using (await stack.EventActionAsync(_room, "open")) { }
        await using var replica = await ApiReplica.StartAsync(stack, ("Orders__HoldTime", HoldTimeOfReplica));
        using var atReplica = new HttpClient { BaseAddress = replica.Url };
        var users = (await stack.UsersAsync(Prefix, Users)).Select((u, i) => i % UsersOfReplica == 0 ? u with { Client = atReplica } : u.Impatient).ToList();
        // After this, both replicas know the room.
        foreach (var user in users.Take(2)) await user.JoinAsync(_room);

        var start = Stopwatch.GetTimestamp();
        var breaking = BreakAsync(() => _operations >= operations && Stopwatch.GetElapsedTime(start) >= time, cancellationToken);
        await Task.WhenAll(users.Select((user, i) => LiveAsync(user, i, () => breaking.IsCompleted && _operations >= operations, cancellationToken)));
        await breaking;
    }

    /// <summary>Fails if a promise was broken. Call it when the system is at rest.</summary>
    public async Task CheckPromisesAsync(CancellationToken cancellationToken)
    {
        var orders = (await Database.QueryAsync<Order>(
            $"SELECT {Order.Columns} FROM {Order.Rows} WHERE o.user_id LIKE @users", new { users = $"{Prefix}-%" }, cancellationToken)).ToDictionary(o => o.Id);
        var payments = (await Database.QueryAsync<Payment>(
            $"SELECT {Payment.Columns} FROM payment WHERE user_id LIKE @users", new { users = $"{Prefix}-%" }, cancellationToken)).ToDictionary(p => p.OrderId);
        var refunds = (await Database.QueryAsync<(string Id, string OrderId, string RequestedBy, string Status, long Amount)>("""
            SELECT r.id, p.order_id, r.requested_by, r.status, r.amount FROM refund r JOIN payment p ON p.id = r.payment_id WHERE p.user_id LIKE @users
            """, new { users = $"{Prefix}-%" }, cancellationToken)).ToDictionary(r => r.Id);

        foreach (var (id, told) in _orders)
        {
            Assert.True(orders.TryGetValue(id, out var order), $"Order {id} was promised and is not there.");
            Assert.Equal(told.User, order.UserId);
            if (told.Prepared) Assert.True(payments.ContainsKey(id), $"The payment of order {id} was promised and is not there.");
            if (told.Cancelled) Assert.Equal(OrderState.Cancelled, order.Status);
            if (told.Paid) Assert.True(order.Status is OrderState.Paid || (order.Status is OrderState.Refunded && told.RefundAsked), $"Order {id} was paid and is {order.Status}.");
            foreach (var (refund, (status, amount)) in told.Refunds)
            {
                Assert.True(refunds.TryGetValue(refund, out var row), $"Refund {refund} of order {id} was promised and is not there.");
                Assert.Equal((id, amount), (row.OrderId, row.Amount));
                if (status == PaymentState.Settling) continue;
                Assert.Equal(RefundState.Done, row.Status);
                if (status == PaymentState.Refunded) Assert.Equal(OrderState.Refunded, order.Status);
            }
        }

        // No user bought missing stock, which the system would have had to refund.
        Assert.All(refunds.Values, r => Assert.Equal(orders[r.OrderId].UserId, r.RequestedBy));
        Assert.Empty(await Database.QueryAsync<long>(
            "SELECT product_id FROM inventory_drift WHERE product_id IN @ids AND available > stock - held", new { ids = _products.Append(_inLine).Select(p => p.Id) }, cancellationToken));

        Assert.Empty(await Database.QueryAsync<string>("""
            SELECT o.user_id FROM orders o JOIN order_item i ON i.order_id = o.id
            WHERE o.user_id LIKE @users AND o.status IN ('CREATED', 'PENDING_PAYMENT', 'PAID') AND i.product_id IN @ids
            GROUP BY o.user_id, i.product_id HAVING SUM(i.quantity - i.refunded) > @MaxPerCustomer
            """, new { users = $"{Prefix}-%", ids = _products.Where(p => p.MaxPerCustomer is not null).Append(_inLine).Select(p => p.Id), MaxPerCustomer }, cancellationToken));
        foreach (var (user, expires) in _passes.Keys)
            Assert.Equal(1, await Database.SingleAsync<int>(
                "SELECT COUNT(*) FROM waiting_room_admission WHERE event_id = @_room AND user_id = @user AND expires_at = @expires", new { _room, user, expires }, cancellationToken));
        foreach (var (coupon, user) in _coupons.Keys)
            Assert.Equal(1, await Database.SingleAsync<int>(
                "SELECT COUNT(*) FROM coupon_issue WHERE coupon_id = @coupon AND user_id = @user", new { coupon, user }, cancellationToken));
        foreach (var reason in _restocked.Keys)
            Assert.Equal(1, await Database.SingleAsync<int>(
                "SELECT COUNT(*) FROM product_stock_audit WHERE reason LIKE @reason", new { reason = $"{reason} (%" }, cancellationToken));
    }

    /// <summary>Fails if a planned fault had no effect. Call it when the system is at rest.</summary>
    public async Task CheckFaultsAsync(CancellationToken cancellationToken)
    {
        foreach (var planned in ChaosPlan.Planned(seed)) Assert.Contains(_faults, happened => happened.StartsWith(planned.Name, StringComparison.Ordinal));
        Assert.True(await Database.SingleAsync<int>(
            "SELECT COUNT(*) FROM orders WHERE user_id LIKE @users AND status = 'EXPIRED'", new { users = $"{Prefix}-%" }, cancellationToken) > 0, "No hold lapsed.");
        Assert.Contains("order customer-limit", _outcomes.Keys);
        Assert.Contains("order in turn 201", _outcomes.Keys);
        Assert.Contains("order out of turn waiting-room-pass-required", _outcomes.Keys);
        Assert.Contains("leave the line 200", _outcomes.Keys);
        Assert.Contains(OrderOf0Won, _outcomes.Keys);
        Assert.Contains($"{RefundOf0Won} 200", _outcomes.Keys);
        Assert.Contains($"{RefundByLine} 200", _outcomes.Keys);

        var asked = (await stack.Sandbox.LedgerAsync()).Where(p => p.ApplyCalls > 0).Select(p => p.PaymentId).ToHashSet();
        var hit = _authorised.Where(a => asked.Contains(a.Key)).CountBy(a => a.Value).ToDictionary();
        foreach (var (kind, count) in hit) _faults.Enqueue($"gateway {kind} {count}");
        foreach (var planned in ChaosPlan.PlannedOfGateway(seed)) Assert.Contains(NameOf(planned), hit.Keys);
    }

    string Prefix => string.Create(CultureInfo.InvariantCulture, $"chaos-{seed}");

    async Task LiveAsync(Shopper user, int number, Func<bool> enough, CancellationToken cancellationToken)
    {
        var own = new List<PlacedOrder>();
        for (var step = 0; !enough() && !cancellationToken.IsCancellationRequested; step++)
        {
            // Each step draws independently of the outcome of earlier steps.
            var dice = ChaosPlan.Dice(seed, number, step);
            var key = string.Create(CultureInfo.InvariantCulture, $"{Prefix}-{number}-{step}");
            await Task.Delay(dice.Next(5, 60), cancellationToken);
            switch (dice.Next(45))
            {
                case 0:
                    await RestockAsync(_products[dice.Next(Products)], key);
                    break;
                case <= 4:
                    await CollectAsync(user, _couponIds[dice.Next(_couponIds.Length)]);
                    break;
                case <= 16:
                case > 16 when own.Count == 0:
                    if (await OrderAsync(user, key, dice) is { } placed) own.Add(placed);
                    break;
                case <= 28:
                    await PayAsync(user, own[dice.Next(own.Count)], key, dice);
                    break;
                case <= 32:
                    await CancelAsync(user, own[dice.Next(own.Count)]);
                    break;
                case <= 36:
                    await RefundAsync(user, own[dice.Next(own.Count)], key, dice);
                    break;
                case <= 39:
                    await AskAsync("list", user, () => user.GetAsync("/api/orders"));
                    break;
                case <= 43:
                    if (await WaitAsync(user, key) is { } inTurn) own.Add(inTurn);
                    break;
                default:
                    await AskAsync("leave the line", user, () => user.PostAsync($"/api/events/{_room}/waiting-room/leave", null));
                    break;
            }
        }
    }

    async Task RestockAsync(Product product, string key)
    {
        using var admin = stack.ImpatientAdmin();
        var (status, _) = await AskAsync("restock", null, () => admin.PostAsJsonAsync($"/api/admin/products/{product.Id}/stock", new { delta = 10, reason = key }));
        if (status == HttpStatusCode.OK) _restocked[key] = true;
    }

    async Task CollectAsync(Shopper user, long coupon)
    {
        if ((await AskAsync("coupon", user, () => user.PostAsync($"/api/coupons/{coupon}/issue", null))).Status == HttpStatusCode.Accepted) _coupons[(coupon, user.Id)] = true;
    }

    async Task<PlacedOrder?> OrderAsync(Shopper user, string key, Random dice)
    {
        var lines = Enumerable.Range(0, dice.Next(1, 4)).Select(_ => new OrderLine(_products[dice.Next(Products)].Id, dice.Next(1, 3))).ToList();
        long? coupon = dice.Next(5) == 0 ? _couponIds[dice.Next(_couponIds.Length)] : null;
        var (status, body) = await AgainAsync("order", user, () => user.OrderAsync(lines, coupon, key));
        if (status != HttpStatusCode.Created) return null;
        var placed = body.Deserialize<PlacedOrder>(JsonSerializerOptions.Web)!;
        _orders[placed.OrderId] = new(user.Id, [.. lines.Select(l => l.ProductId).Distinct()]) { Paid = placed.Status == OrderState.Paid };
        if (placed.TotalAmount > 0) return placed;
        // It is rare, so half of them are returned at once.
        _outcomes.AddOrUpdate(OrderOf0Won, 1, (_, count) => count + 1);
        if (dice.Next(2) == 0) await RefundAsync(user, placed, $"{key}-return", dice);
        return placed;
    }

    /// <summary>Joins the waiting room, or polls it. An admitted user orders, and other users are refused.</summary>
    async Task<PlacedOrder?> WaitAsync(Shopper user, string key)
    {
        var (joined, place) = await AskAsync("wait", user, () => user.AskToJoinAsync(_room));
        if (joined != HttpStatusCode.OK) return null;
        var told = place.Deserialize<WaitingRoomPlace>(JsonSerializerOptions.Web)!;
        if (told.Pass is null)
        {
            var (early, _) = await AskAsync("order out of turn", user, () => user.OrderWithPassAsync(_inLine.Id, null, key));
            Assert.NotEqual(HttpStatusCode.Created, early);
            return null;
        }

        _passes[(user.Id, told.PassExpiresAt!.Value)] = true;
        var (status, body) = await AgainAsync("order in turn", user, () => user.OrderWithPassAsync(_inLine.Id, told.Pass, key));
        if (status != HttpStatusCode.Created) return null;
        var placed = body.Deserialize<PlacedOrder>(JsonSerializerOptions.Web)!;
        _orders[placed.OrderId] = new(user.Id, [_inLine.Id]);
        return placed;
    }

    async Task PayAsync(Shopper user, PlacedOrder order, string key, Random dice)
    {
        var fault = ChaosPlan.FaultOfPayment(seed, dice);
        var (prepared, _) = await AgainAsync("prepare", user, () => user.PostAsync("/api/payments/prepare", new { orderId = order.OrderId, amount = order.TotalAmount }, key));
        if (prepared != HttpStatusCode.OK) return;
        _orders[order.OrderId].Prepared = true;
        if (dice.Next(10) == 0) return;
        string pgPaymentId;
        try
        {
            pgPaymentId = await stack.Sandbox.PayAsync(order.OrderId, order.TotalAmount, user.Id, fault);
        }
        catch (HttpRequestException)
        {
            return;
        }

        if (fault is not null) _authorised[pgPaymentId] = NameOf(fault);
        var (approved, body) = await AgainAsync("approve", user, () => user.PostAsync("/api/payments/approve", new { orderId = order.OrderId, pgPaymentId }, key));
        if (approved == HttpStatusCode.OK && body.GetProperty("status").GetString() == PaymentState.Paid) _orders[order.OrderId].Paid = true;
    }

    async Task CancelAsync(Shopper user, PlacedOrder order)
    {
        if ((await AskAsync("cancel", user, () => user.PostAsync($"/api/orders/{order.OrderId}/cancel", null))).Status == HttpStatusCode.OK) _orders[order.OrderId].Cancelled = true;
    }

    async Task RefundAsync(Shopper user, PlacedOrder order, string key, Random dice)
    {
        // The refund is for everything, half of the amount, or one unit of one line. An order of 0 won is refunded as a whole.
        var products = _orders[order.OrderId].Products;
        (string Name, object Request) asked = (order.TotalAmount == 0 ? 0 : dice.Next(4)) switch
        {
            0 => (order.TotalAmount == 0 ? RefundOf0Won : "refund", new { amount = order.TotalAmount, reason = "chaos" }),
            1 => ("refund", new { amount = order.TotalAmount / 2, reason = "chaos" }),
            _ => (RefundByLine, new { lines = new[] { new { productId = products[dice.Next(products.Count)], quantity = 1 } }, reason = "chaos" }),
        };
        _orders[order.OrderId].RefundAsked = true;
        var (status, body) = await AgainAsync(asked.Name, user, () => user.PostAsync($"/api/payments/{order.OrderId}/refund", asked.Request, key));
        if (status != HttpStatusCode.OK) return;
        var refunded = body.Deserialize<RefundedPayment>(JsonSerializerOptions.Web)!;
        _orders[order.OrderId].Refunds[refunded.RefundId] = (refunded.Status, refunded.Amount);
    }

    /// <summary>Sends a request with a key. Repeats it with the same key if there was no response or a Retry-After.</summary>
    async Task<(HttpStatusCode Status, JsonElement Body)> AgainAsync(string name, Shopper user, Func<Task<HttpResponseMessage>> send)
    {
        var first = await AskAsync(name, user, send);
        if (first.Status is not (0 or HttpStatusCode.ServiceUnavailable)) return first;
        await Task.Delay(200);
        return await AskAsync(name, user, send);
    }

    async Task<(HttpStatusCode Status, JsonElement Body)> AskAsync(string name, Shopper? user, Func<Task<HttpResponseMessage>> send)
    {
        Interlocked.Increment(ref _operations);
        try
        {
            using var answer = await send().WaitAsync(AnswerDeadline);
            var text = await answer.Content.ReadAsStringAsync();
            if (user is null || user.Client == user.Once) Interlocked.Increment(ref _answered);
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

    /// <summary>Injects and removes faults one after the other, first the planned ones and then more.</summary>
    async Task BreakAsync(Func<bool> enough, CancellationToken cancellationToken)
    {
        var dice = ChaosPlan.Dice(seed, 3);
        var scene = new ChaosScene(stack, () => _answered, outcome => _outcomes.Where(o => o.Key.EndsWith(outcome, StringComparison.Ordinal)).Sum(o => o.Value));
        var planned = ChaosPlan.Planned(seed);
        foreach (var (i, fault) in planned.Concat(ChaosPlan.More(seed)).Index())
        {
            await Task.Delay(dice.Next(500, 1500), cancellationToken);
            if (i >= planned.Count && enough()) return;
            var start = Stopwatch.GetTimestamp();
            try
            {
                await fault.Run(scene, dice);
            }
            catch (Exception e) when (e is Xunit.Sdk.XunitException || TransientFaults.IsTransient(e))
            {
                Assert.Fail($"Fault \"{fault}\" did no harm, or could not be mended: {e}");
            }

            _faults.Enqueue(string.Create(CultureInfo.InvariantCulture, $"{fault} {Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s"));
        }
    }

    static string NameOf(SandboxFault fault) => fault.Code is null ? fault.Kind : $"{fault.Kind} {fault.Code}";

    /// <summary>The promises about an order.</summary>
    sealed class Promises(string user, IReadOnlyList<long> products)
    {
        public string User => user;

        public IReadOnlyList<long> Products => products;

        public volatile bool Prepared;
        public volatile bool Paid;
        public volatile bool Cancelled;

        /// <summary>A refund was requested, but not promised. Only in this case can the money be refunded.</summary>
        public volatile bool RefundAsked;

        public ConcurrentDictionary<string, (string Status, long Amount)> Refunds { get; } = new();
    }
}
