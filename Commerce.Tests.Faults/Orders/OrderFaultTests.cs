using System.Diagnostics;
using System.Net;
using Aspire.Hosting.Testing;
using Commerce.Core;
using Commerce.Core.Consistency;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.Core.Messaging;
using Commerce.Core.Orders;
using Commerce.Core.Payments;
using Commerce.ServiceDefaults;
using Confluent.Kafka;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Commerce.Tests.Faults.Orders;

/// <summary>The common part of the orders' fault tests.</summary>
public abstract class OrderFaultTests(CommerceStack stack) : StackTests(stack)
{
    protected MySqlDatabase Database => Stack.Services.GetRequiredService<MySqlDatabase>();

    /// <summary>Repeats an order until it has a definite response. Returns "" for an order, otherwise the refusal.</summary>
    protected static async Task<string> PressAsync(Shopper user, long productId, CancellationToken cancellationToken)
    {
        var key = Guid.NewGuid().ToString();
        while (true)
        {
            try
            {
                using var answer = await user.OrderAsync([new(productId, 1)], key: key);
                var slug = await answer.SlugAsync();
                if (slug is not ("gate-closed" or "dependency-unavailable" or "idempotency-key-in-flight") || cancellationToken.IsCancellationRequested) return slug;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
            {
                // There was no response, so the request is repeated with the same key.
            }

            await Task.Delay(100, CancellationToken.None);
        }
    }

    PaymentGateway Gateway => Stack.Services.GetRequiredService<PaymentGateway>();

    /// <summary>Pays an order in full.</summary>
    protected async Task PayAsync(Shopper user, PlacedOrder order)
    {
        var payments = Stack.Services.GetRequiredService<PaymentService>();
        await Eventually.DoneAsync(async () =>
        {
            await payments.PrepareAsync(
                user.Id, order.OrderId, order.TotalAmount, Stack.Sandbox.Client.BaseAddress!, (_, _) => { }, Cancelled);
            return true;
        });
        var authorised = await Stack.Sandbox.PayAsync(order.OrderId, order.TotalAmount, user.Id);
        await Eventually.EqualAsync(PaymentState.Paid, async () => (await payments.ApproveAsync(
            user.Id, order.OrderId, authorised, _ => Task.CompletedTask, (_, _) => { }, Cancelled)).Status);
    }

    /// <summary>Pays an order some time ago, without sending its message.</summary>
    protected async Task PaySilentlyAsync(PlacedOrder order, TimeSpan ago = default)
    {
        var authorised = await Stack.Sandbox.PayAsync(order.OrderId, order.TotalAmount);
        Assert.IsType<ApproveOutcome.Approved>(await Gateway.ApproveAsync(authorised, order.OrderId, Cancelled));
        await Database.ExecuteInTransactionAsync(transaction => transaction.ExecuteAsync("""
            UPDATE orders SET status = 'PAID', paid_at = UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND WHERE id = @OrderId;
            INSERT INTO payment (id, order_id, user_id, amount, status, pg_payment_id)
            SELECT UUID(), id, user_id, total_amount, 'PAID', @authorised FROM orders WHERE id = @OrderId
            """, new { order.OrderId, authorised, seconds = (int)ago.TotalSeconds }), Cancelled);
    }

    /// <summary>Refunds an order without telling the gate.</summary>
    protected async Task<StockReturn> RefundSilentlyAsync(PlacedOrder order)
    {
        var captured = await Database.SingleAsync<string>("SELECT pg_payment_id FROM payment WHERE order_id = @OrderId", order, Cancelled);
        Assert.IsType<CancelOutcome.Cancelled>(await Gateway.CancelAsync(captured!, order.TotalAmount, 0, "test", order.OrderId, Cancelled));
        return await Database.ExecuteInTransactionAsync(async transaction =>
        {
            await transaction.ExecuteAsync("UPDATE payment SET status = 'REFUNDED', refunded_amount = amount WHERE order_id = @OrderId", order);
            return await OrderRepository.RefundAsync(transaction, order.OrderId);
        }, Cancelled);
    }

    protected async Task<string?> StatusAsync(string orderId) =>
        await Database.SingleAsync<string>("SELECT status FROM orders WHERE id = @orderId", new { orderId }, Cancelled);

    protected Task<int> StockAsync(long productId) => Database.SingleAsync<int>("SELECT stock FROM product WHERE id = @productId", new { productId }, Cancelled);

    protected async Task<OrderPlaced> MessageAsync(string orderId, string userId, long productId)
    {
        var order = await Database.SingleAsync<long>("SELECT total_amount FROM orders WHERE id = @orderId", new { orderId }, Cancelled);
        return new(orderId, userId, order, [new(productId, 1)]);
    }
}

/// <summary>Orphaned holds, and processes whose clocks differ.</summary>
public sealed class HoldFaultTests(CommerceStack stack) : OrderFaultTests(stack)
{
    [Fact]
    public async Task F13_What_a_killed_Api_had_reserved_returns_when_the_hold_is_over()
    {
        var user = (await Stack.UsersAsync("f13", 1))[0].Impatient;
        Stack.Arm(Checkpoints.AfterReserve);

        // A product that the gate reserves in time, so that the Api reaches the checkpoint.
        Product product;
        do product = await Stack.ProductAsync(stock: 10);
        while (!await DiesAsync(user, product.Id));
        await Stack.StoppedAsync("api");
        await Stack.StartAsync("api");
        await Eventually.EqualAsync(6L, () => Stack.AvailableAsync(product.Id));
        var gate = Stack.Services.GetRequiredService<InventoryGate>();
        var orphan = (await Eventually.DoneAsync(gate.SnapshotAsync))!.Holds.Single(h => h.Value.Lines.Any(l => l.ProductId == product.Id)).Key;
        // This simulates that the ten minutes have passed.
        await Eventually.EqualAsync(true, () => gate.ExtendAsync(orphan, TimeSpan.FromSeconds(1)));

        await Eventually.EqualAsync(10L, () => Stack.AvailableAsync(product.Id));
        await CheckConsistencyAsync();
    }

    static async Task<bool> DiesAsync(Shopper user, long productId)
    {
        try
        {
            using var answer = await user.OrderAsync([new(productId, 4)]);
            await answer.ShouldBeProblemAsync(HttpStatusCode.ServiceUnavailable, "dependency-unavailable");
            return false;
        }
        catch (HttpRequestException)
        {
            return true;
        }
    }

    [Fact]
    public async Task F31_Clocks_that_are_30_s_apart_do_not_end_a_hold_early_or_late()
    {
        var request = new OrderRequest([], new("Hong", "010-1234-5678", "04524", "Seoul", null));
        foreach (var wrongBy in new[] { TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(-30) })
        {
            var orders = ActivatorUtilities.CreateInstance<OrderService>(Stack.Services, new WrongClock(wrongBy));
            var product = await Stack.ProductAsync(stock: 10);
            var placed = await orders.PlaceAsync("f31", request with { Items = [new(product.Id, 1)] }, () => Task.CompletedTask, (_, _) => { }, Cancelled);
            // All times are by MySQL's clock. The process may have waited between the two, but for less time than the clocks differ.
            var held = placed.HoldExpiresAt - await Database.SingleAsync<DateTime>("SELECT created_at FROM orders WHERE id = @OrderId", placed, Cancelled);
            Assert.InRange(held, TimeSpan.FromMinutes(10) - TimeSpan.FromSeconds(25), TimeSpan.FromMinutes(10));
            await Stack.RecordOrderEndsAsync();
            await Database.ExecuteAsync(
                "UPDATE orders SET hold_expires_at = UTC_TIMESTAMP(6) + INTERVAL 2 SECOND WHERE id = @OrderId", new { placed.OrderId }, Cancelled);
            await Eventually.EqualAsync(10L, () => Stack.AvailableAsync(product.Id));
            // The order ended neither early nor half a minute late.
            Assert.InRange(await Stack.EndedAfterHoldAsync(placed.OrderId), TimeSpan.Zero, TimeSpan.FromSeconds(25));
        }

        await CheckConsistencyAsync();
    }
}

/// <summary>The inventory gate disappears during a sale.</summary>
public sealed class InventoryFaultTests(CommerceStack stack) : OrderFaultTests(stack)
{
    [Theory]
    [InlineData("killed")]
    [InlineData("emptied")]
    public async Task Redis_lost_in_mid_sale_oversells_nothing(string how)
    {
        const int Stock = 150;
        var product = await Stack.ProductAsync(Stock);
        var users = (await Stack.UsersAsync($"inventory-{how}", 300)).Select(u => u.Impatient);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        patience.CancelAfter(TimeSpan.FromMinutes(3));

        var half = new TaskCompletionSource();
        var answered = 0;
        var sale = Task.WhenAll(users.Select(async (user, i) =>
        {
            if (i >= 100) await half.Task;
            var slug = await PressAsync(user, product.Id, patience.Token);
            if (Interlocked.Increment(ref answered) == 50) half.SetResult();
            return slug;
        }));
        await half.Task;
        await LoseRedisAsync(how);

        var verdicts = await sale;
        // Stock that was held for a lost response goes to another user after that is detected.
        foreach (var user in users.Zip(verdicts).Where(v => v.Second.Length > 0).Select(v => v.First).Take(Stock - verdicts.Count(v => v.Length == 0)))
            await Eventually.EqualAsync("", () => PressAsync(user, product.Id, patience.Token));
        Assert.Equal(Stock, await Database.SingleAsync<int>("SELECT COUNT(*) FROM order_item WHERE product_id = @Id", new { product.Id }, Cancelled));
        await CheckConsistencyAsync();
        await Eventually.EqualAsync(0L, () => Stack.AvailableAsync(product.Id));
    }

    [Theory]
    [InlineData("killed")]
    [InlineData("emptied")]
    public async Task Redis_lost_in_mid_sale_keeps_the_limits_of_customers(string how)
    {
        const int Limit = 2;
        var product = await Stack.ProductAsync(stock: 1000, maxPerCustomer: Limit);
        var users = (await Stack.UsersAsync($"limits-{how}", 50)).Select(u => u.Impatient).ToList();
        Assert.All(await Task.WhenAll(users.Select(user => PressAsync(user, product.Id, Cancelled))), told => Assert.Equal("", told));

        var sale = Task.WhenAll(users.SelectMany(user => Enumerable.Range(0, 3).Select(_ => PressAsync(user, product.Id, Cancelled))));
        await LoseRedisAsync(how);
        await sale;
        // Units that were counted for a lost response are free again after that is detected.
        foreach (var user in users) await Eventually.EqualAsync("customer-limit", () => PressAsync(user, product.Id, Cancelled));

        var units = await Database.QueryAsync<int>("""
            SELECT CAST(SUM(i.quantity) AS SIGNED) FROM orders o JOIN order_item i ON i.order_id = o.id WHERE i.product_id = @Id AND o.status = 'CREATED' GROUP BY o.user_id
            """, product, Cancelled);
        Assert.Equal(Enumerable.Repeat(Limit, users.Count), units);
        await CheckConsistencyAsync();
    }

    async Task LoseRedisAsync(string how)
    {
        if (how == "killed")
        {
            await Stack.KillAsync("redis");
            await Stack.StartAsync("redis");
        }
        else
        {
            await Stack.RedisAsync("FLUSHALL");
        }
    }

    [Theory]
    [InlineData(MySqlErrors.ReadOnlyOption)]
    [InlineData(MySqlErrors.TableFull)]
    [InlineData(MySqlErrors.DiskFull)]
    public async Task F38_A_ledger_that_cannot_write_is_told_quickly_and_nothing_stays_held(int why)
    {
        var product = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync($"f38-orders-{why}", 1))[0].Impatient;
        if (why == MySqlErrors.ReadOnlyOption) await Database.ExecuteAsync("SET GLOBAL super_read_only = ON", null, Cancelled);
        else await Stack.DiskFullAsync("orders", why);
        try
        {
            var quickest = TimeSpan.MaxValue;
            for (var i = 0; i < 3; i++)
            {
                var start = Stopwatch.GetTimestamp();
                using var answer = await user.OrderAsync([new(product.Id, 4)]);
                if (Stopwatch.GetElapsedTime(start) is var took && took < quickest) quickest = took;
                await answer.ShouldBeProblemAsync(HttpStatusCode.ServiceUnavailable, "dependency-unavailable");
                Assert.NotNull(answer.Headers.RetryAfter);
            }

            // MySQL fails at once. An Api that retried would need longer than one statement timeout (3 s) every time.
            Assert.True(quickest < TimeSpan.FromSeconds(3), $"{quickest}");
            Assert.Equal([10], await Eventually.DoneAsync(() => Stack.Services.GetRequiredService<InventoryGate>().ListAvailableAsync([product.Id])));
        }
        finally
        {
            await Database.ExecuteAsync("SET GLOBAL super_read_only = OFF", null, CancellationToken.None);
            await Database.ExecuteAsync("SET GLOBAL read_only = OFF", null, CancellationToken.None);
            await Stack.DiskHasRoomAsync();
        }

        Assert.Equal("", await PressAsync(user, product.Id, Cancelled));
        await CheckConsistencyAsync();
    }
}

/// <summary>MySQL, or a process that uses it, freezes.</summary>
public sealed class CommitFaultTests(CommerceStack stack) : OrderFaultTests(stack)
{
    [Fact]
    public async Task A_process_that_freezes_inside_a_transaction_holds_others_up_for_seconds_only()
    {
        const string Lock = "SELECT epoch FROM inventory_gate WHERE id = 1 FOR UPDATE";
        var (locked, thaw) = (new TaskCompletionSource(), new TaskCompletionSource());
        var frozen = Database.ExecuteInTransactionAsync(async transaction =>
        {
            await transaction.SingleAsync<int>(Lock);
            locked.SetResult();
            await thaw.Task;
            return await transaction.SingleAsync<int>(Lock);
        }, Cancelled);
        await locked.Task;

        await Eventually.DoneAsync(() => Database.ExecuteInTransactionAsync(transaction => transaction.SingleAsync<int>(Lock), Cancelled));

        thaw.SetResult();
        Assert.True(TransientFaults.IsTransient(await Assert.ThrowsAnyAsync<Exception>(() => frozen)));
        await CheckConsistencyAsync();
    }

    [Theory]
    [InlineData("the commit")]
    [InlineData("the rollback")]
    [InlineData("the beginning")]
    public async Task A_ledger_that_freezes_in_the_frame_of_a_transaction_is_told_as_quickly_as_in_a_statement(string where)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration["ConnectionStrings:commerce"] = await Stack.App.GetConnectionStringAsync("commerce", Cancelled);
        builder.AddServiceDefaults();
        builder.AddCommerceCore(commandTimeout: TimeSpan.FromSeconds(1));
        using var host = builder.Build();
        var database = host.Services.GetRequiredService<MySqlDatabase>();
        await database.ExecuteInTransactionAsync(transaction => transaction.SingleAsync<int>("SELECT 1"), Cancelled);
        var start = Stopwatch.GetTimestamp();
        try
        {
            if (where == "the beginning") await Stack.FreezeAsync("mysql");
            var lost = await Assert.ThrowsAnyAsync<Exception>(() => database.TryExecuteInTransactionAsync(async transaction =>
            {
                await transaction.SingleAsync<int>("SELECT epoch FROM inventory_gate WHERE id = 1 FOR UPDATE");
                await Stack.FreezeAsync("mysql");
                return where == "the commit" ? true : throw new TimeoutException("rolled back");
            }, Cancelled));

            Assert.True(TransientFaults.IsTransient(lost), lost.ToString());
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(10), $"{Stopwatch.GetElapsedTime(start)}");
        }
        finally
        {
            await Stack.ThawAsync("mysql");
        }

        await CheckConsistencyAsync();
    }
}

/// <summary>Paid orders whose stock is not deducted yet.</summary>
public sealed class StockFaultTests(CommerceStack stack) : OrderFaultTests(stack)
{
    [Fact]
    public async Task A_paid_order_leaves_the_stock_once_however_often_it_is_announced()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync("announced", 1))[0];
        var placed = await user.PlaceAsync(product.Id);
        await PayAsync(user, placed);
        var message = (await MessageAsync(placed.OrderId, user.Id, product.Id)).ToMessage();

        var producer = Stack.Services.GetRequiredService<KafkaProducer>();
        for (var i = 0; i < 5; i++)
            await Eventually.DoneAsync(() => producer.ProduceAsync(
                Topics.OrderPlaced, new Message<string?, byte[]?> { Key = message.Key, Value = message.Payload }, Cancelled));

        await CheckConsistencyAsync();
        Assert.Equal(9, await StockAsync(product.Id));
        await Eventually.EqualAsync(9L, () => Stack.AvailableAsync(product.Id));
    }

    [Fact]
    public async Task F4_A_consumer_that_dies_between_the_stock_and_the_offset_takes_it_once()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var users = await Stack.UsersAsync("f4-orders", 5);
        var placed = await Task.WhenAll(users.Select(u => u.PlaceAsync(product.Id)));
        Stack.Arm(Checkpoints.AfterStock);

        foreach (var (user, order) in users.Zip(placed)) await PayAsync(user, order);
        await Stack.StoppedAsync("workers");
        await Stack.StartAsync("workers");

        await CheckConsistencyAsync();
        Assert.Equal(5, await StockAsync(product.Id));
    }

    [Fact]
    public async Task A_paid_order_whose_message_was_lost_is_announced_again()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync("lost", 1))[0];
        var placed = await user.PlaceAsync(product.Id);
        await PaySilentlyAsync(placed, ago: TimeSpan.FromHours(1));

        await Eventually.EqualAsync(9, () => StockAsync(product.Id));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_paid_order_of_which_one_product_is_missing_takes_nothing_and_is_refunded()
    {
        var plenty = await Stack.ProductAsync(stock: 10);
        var few = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync("short", 1))[0];
        var placed = await user.PlaceAsync([new(plenty.Id, 2), new(few.Id, 2)]);
        // The stock is removed from the database, and the gate is not told.
        await Database.ExecuteAsync("UPDATE product SET stock = 1 WHERE id = @Id", new { few.Id }, Cancelled);
        await Database.ExecuteAsync(
            "INSERT INTO product_stock_audit (product_id, event_id, delta, reason) VALUES (@Id, @placed, -9, 'test')", new { few.Id, placed = $"test:{placed.OrderId}" }, Cancelled);

        await PayAsync(user, placed);

        await Eventually.EqualAsync(OrderState.Refunded, () => StatusAsync(placed.OrderId));
        Assert.Equal(10, await StockAsync(plenty.Id));
        Assert.Equal(1, await StockAsync(few.Id));
        // A change without the gate is drift, which the reconciler repairs within 10 s.
        using (await Stack.Admin.PostAsync("/api/admin/reconcile", null, Cancelled)) { }
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F5_Poison_among_the_orders_goes_to_the_dead_letters_and_the_partition_moves_on()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync("poison", 1))[0];
        var placed = await user.PlaceAsync(product.Id);
        var producer = Stack.Services.GetRequiredService<KafkaProducer>();
        await Eventually.DoneAsync(() => producer.ProduceAsync(
            Topics.OrderPlaced, new Message<string?, byte[]?> { Key = placed.OrderId, Value = "{"u8.ToArray() }, Cancelled));

        await PayAsync(user, placed);

        await Eventually.EqualAsync(9, () => StockAsync(product.Id));
        await Eventually.GetAsync(() => DeadLettersAsync(placed.OrderId), letters => letters is [DeadLetterReasons.Unreadable, ..]);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task An_order_whose_handling_fails_three_retries_is_a_dead_letter_and_the_partition_moves_on()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var (failing, next) = ((await Stack.UsersAsync("failing", 1))[0], (await Stack.UsersAsync("behind", 1))[0]);
        var (stuck, behind) = (await failing.PlaceAsync(product.Id), await next.PlaceAsync(product.Id));
        await PaySilentlyAsync(behind);
        // The table of attempts uses an engine without rollback.
        await Database.ExecuteAsync("CREATE TABLE tries (id INT) ENGINE = MyISAM", null, Cancelled);
        await Database.ExecuteAsync($"""
            CREATE TRIGGER refuse_order BEFORE INSERT ON product_stock_audit FOR EACH ROW
            BEGIN IF NEW.event_id = 'placed:{stuck.OrderId}' THEN INSERT INTO tries VALUES (1); SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused'; END IF; END
            """, null, Cancelled);
        try
        {
            await PayAsync(failing, stuck);
            await Eventually.GetAsync(TriesAsync, tries => tries > 0);
            // The message has the same key, so it follows the other one in its partition.
            var message = (await MessageAsync(behind.OrderId, next.Id, product.Id)).ToMessage();
            await Eventually.DoneAsync(() => Stack.Services.GetRequiredService<KafkaProducer>().ProduceAsync(
                Topics.OrderPlaced, new Message<string?, byte[]?> { Key = stuck.OrderId, Value = message.Payload }, Cancelled));
            await Eventually.GetAsync(() => DeadLettersAsync(stuck.OrderId), letters => letters is [DeadLetterReasons.HandlerFailed, ..]);
            Assert.Equal(4, await TriesAsync());
            await Eventually.EqualAsync(9, () => StockAsync(product.Id));
            // The order was paid long ago, so it would be announced again if the message were only late.
            await Eventually.EqualAsync("I8", () => BrokenAsync());
            await Database.ExecuteAsync("""
                UPDATE orders SET paid_at = paid_at - INTERVAL 1 HOUR WHERE id = @OrderId;
                UPDATE outbox SET created_at = created_at - INTERVAL 1 HOUR WHERE message_key = @OrderId
                """, stuck, Cancelled);
            for (var i = 0; i < 3; i++) await Stack.Services.GetRequiredService<OrderReconciler>().RunAsync(Cancelled);
            Assert.Equal(1, await Database.SingleAsync<int>("SELECT COUNT(*) FROM outbox WHERE message_key = @OrderId", stuck, Cancelled));
            Assert.Equal(4, await TriesAsync());
            // A dead letter that an administrator needs is not purged.
            Assert.Single(await DeadLettersAsync(stuck.OrderId));
            await Stack.Services.GetRequiredService<DeadLetterStore>().PurgeAsync(TimeSpan.Zero, Cancelled);
            Assert.Single(await DeadLettersAsync(stuck.OrderId));
        }
        finally
        {
            await Database.ExecuteAsync("DROP TRIGGER refuse_order", null, CancellationToken.None);
            await Database.ExecuteAsync("DROP TABLE tries", null, CancellationToken.None);
        }

        var letter = await Database.SingleAsync<long>("SELECT MIN(id) FROM dead_letter WHERE message_key = @OrderId", stuck, Cancelled);
        using var replayed = await Stack.Admin.PostAsync($"/api/admin/dead-letters/{letter}/replay", null, Cancelled);
        Assert.Equal(HttpStatusCode.Accepted, replayed.StatusCode);
        await Eventually.EqualAsync(8, () => StockAsync(product.Id));
        await CheckConsistencyAsync();
        await Stack.Services.GetRequiredService<DeadLetterStore>().PurgeAsync(TimeSpan.Zero, Cancelled);
        Assert.Empty(await DeadLettersAsync(stuck.OrderId));

        Task<int> TriesAsync() => Database.SingleAsync<int>("SELECT COUNT(*) FROM tries", null, Cancelled);

        async Task<string?> BrokenAsync() =>
            (await Stack.Services.GetRequiredService<ConsistencyCheck>().RunAsync(Cancelled)).Findings.FirstOrDefault(f => !f.Holds && f.Promise.Contains("dead letter", StringComparison.Ordinal))?.Invariant;
    }

    [Fact]
    public async Task A_paid_order_whose_message_cannot_be_read_stays_dead_until_an_administrator_announces_it()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync("unreadable", 1))[0];
        var placed = await user.PlaceAsync(product.Id);
        await PaySilentlyAsync(placed);
        await Eventually.DoneAsync(() => Stack.Services.GetRequiredService<KafkaProducer>().ProduceAsync(
            Topics.OrderPlaced, new Message<string?, byte[]?> { Key = placed.OrderId, Value = "{"u8.ToArray() }, Cancelled));
        await Eventually.EqualAsync(1, () => DeadAsync(placed.OrderId));
        await Database.ExecuteAsync("UPDATE orders SET paid_at = paid_at - INTERVAL 1 HOUR WHERE id = @OrderId", placed, Cancelled);

        using var log = new GaugeListener("commerce.orders.dead");
        Assert.Equal(0, await Stack.Services.GetRequiredService<OrderReconciler>().RunAsync(Cancelled));
        Assert.Equal(1, log.Last);
        using var announced = await Stack.Admin.PostAsync($"/api/admin/orders/{placed.OrderId}/announce", null, Cancelled);

        Assert.Equal(HttpStatusCode.Accepted, announced.StatusCode);
        await Eventually.EqualAsync(9, () => StockAsync(product.Id));
        Assert.Equal(0, await DeadAsync(placed.OrderId));
        using var again = await Stack.Admin.PostAsync($"/api/admin/orders/{placed.OrderId}/announce", null, Cancelled);
        await again.ShouldBeProblemAsync(HttpStatusCode.Conflict, "order-not-waiting");
        using var unknown = await Stack.Admin.PostAsync($"/api/admin/orders/{Guid.NewGuid()}/announce", null, Cancelled);
        await unknown.ShouldBeProblemAsync(HttpStatusCode.NotFound, "order-not-found");
        await CheckConsistencyAsync();

        Task<int> DeadAsync(string orderId) => Database.SingleAsync<int>("SELECT COUNT(*) FROM order_announcement WHERE order_id = @orderId AND dead_at IS NOT NULL", new { orderId }, Cancelled);
    }

    [Fact]
    public async Task A_lost_message_is_announced_again_at_growing_distances()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync("growing", 1))[0];
        var placed = await user.PlaceAsync(product.Id);
        var reconciler = Stack.Services.GetRequiredService<OrderReconciler>();
        await Stack.StopAsync("workers");
        var distances = new List<int>();
        try
        {
            await PaySilentlyAsync(placed, ago: TimeSpan.FromHours(1));
            for (var i = 0; i < 3; i++)
            {
                // This simulates that the time has come and every message has been lost.
                await Database.ExecuteAsync("""
                    UPDATE order_announcement SET next_at = UTC_TIMESTAMP(6) WHERE order_id = @OrderId;
                    UPDATE outbox SET created_at = created_at - INTERVAL 1 HOUR WHERE message_key = @OrderId;
                    DELETE w FROM outbox_waiting w JOIN outbox o ON o.id = w.id WHERE o.message_key = @OrderId
                    """, placed, Cancelled);
                Assert.Equal(1, await reconciler.RunAsync(Cancelled));
                Assert.Equal(0, await reconciler.RunAsync(Cancelled));
                distances.Add(await Database.SingleAsync<int>("SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), next_at) FROM order_announcement WHERE order_id = @OrderId", placed, Cancelled));
            }
        }
        finally
        {
            await Stack.StartAsync("workers");
        }

        Assert.InRange(distances[0], 20, 30);
        Assert.InRange(distances[1], 50, 60);
        Assert.InRange(distances[2], 110, 120);
        // The mock cluster reassigns the partitions of the stopped process after 45 s.
        await Eventually.EqualAsync(9, () => StockAsync(product.Id), TimeSpan.FromMinutes(3));
        await CheckConsistencyAsync();
    }

    Task<IReadOnlyList<string>> DeadLettersAsync(string orderId) => Database.QueryAsync<string>(
        "SELECT reason FROM dead_letter WHERE topic = 'ORDER_PLACED' AND message_key = @orderId ORDER BY id", new { orderId }, Cancelled);
}
