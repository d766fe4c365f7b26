using System.Net;
using Commerce.Core;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Commerce.Core.Payments;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Faults.Payments;

/// <summary>Holds that end during a payment.</summary>
public sealed class PaymentHoldFaultTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Fact]
    public async Task F14_A_hold_that_lapses_before_the_payment_is_prepared_gives_the_pieces_back()
    {
        var purchase = await OrderAsync("f14");
        await HoldEndsAsync(purchase, -1);

        using var answer = await purchase.PrepareAsync();

        await answer.ShouldBeProblemAsync(HttpStatusCode.Conflict, "hold-expired");
        await Eventually.EqualAsync(10L, () => Stack.AvailableAsync(purchase.Product.Id));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F15_A_hold_that_lapses_before_the_approval_refuses_it_before_the_gateway_is_called()
    {
        var purchase = await PrepareAsync("f15");
        var authorised = await purchase.AuthorizeAsync();
        await HoldEndsAsync(purchase, -1);

        Assert.Equal("hold-expired", await purchase.ApproveAsync(authorised));

        Assert.Equal(0, (await Stack.Sandbox.LedgerAsync(purchase.OrderId))[0].ApplyCalls);
        await Eventually.EqualAsync(OrderState.Expired, () => OrderStatusAsync(purchase));
        Assert.Equal("hold-expired", await purchase.ApproveAsync(authorised));
        await Eventually.EqualAsync(10L, () => Stack.AvailableAsync(purchase.Product.Id));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_prepared_order_keeps_its_pieces_when_their_first_deadline_is_over()
    {
        var purchase = await PrepareAsync("first-deadline");
        // This simulates that ten minutes have passed since the order. The prepare request has extended the hold in MySQL.
        var gate = Stack.Services.GetRequiredService<InventoryGate>();
        await Eventually.EqualAsync(true, () => gate.ExtendAsync(purchase.OrderId, TimeSpan.Zero));
        var over = await DeadlineAsync();

        // The reaper has checked the hold and will check it again later.
        await Eventually.GetAsync(DeadlineAsync, deadline => deadline > over);

        Assert.Equal(9, await Stack.AvailableAsync(purchase.Product.Id));
        await PayAsync(purchase, await purchase.AuthorizeAsync());
        await ShouldBePaidAsync(purchase);

        async Task<double> DeadlineAsync() => (double)await Stack.RedisAsync("ZSCORE", "{inventory}:holds", purchase.OrderId);
    }

    [Fact]
    public async Task F16_A_hold_does_not_lapse_while_the_gateway_works()
    {
        var purchase = await PrepareAsync("f16");
        var authorised = await purchase.AuthorizeAsync(new("delay", "apply", DelayMs: 2_000));

        var paid = PayAsync(purchase, authorised);
        await ProcessingAsync(purchase);
        await HoldEndsAsync(purchase, -1);

        await paid;
        await ShouldBePaidAsync(purchase);
    }

    [Fact]
    public async Task A_refusal_after_the_hold_is_over_ends_the_order()
    {
        var purchase = await PrepareAsync("refused-late");
        var authorised = await purchase.AuthorizeAsync(new("code", "apply", DelayMs: 1_500, Code: "NotEnoughAccountBalance"));

        var approval = purchase.ApproveAsync(authorised);
        await Eventually.EqualAsync(1, () => Database.SingleAsync<int>("SELECT IF(pinned, 1, 0) FROM orders WHERE id = @OrderId", new { purchase.OrderId }, Cancelled));
        await HoldEndsAsync(purchase, -1);

        Assert.Contains(await approval, new[] { "payment-refused", PaymentState.Settling });

        await Eventually.EqualAsync(OrderState.Expired, () => OrderStatusAsync(purchase));
        await Eventually.EqualAsync(10L, () => Stack.AvailableAsync(purchase.Product.Id));
        await CheckConsistencyAsync();
    }
}

/// <summary>Concurrent operations on one payment.</summary>
public sealed class PaymentRaceTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Fact]
    public async Task F17_Fifty_approvals_at_once_make_one_call_and_one_capture()
    {
        var purchase = await PrepareAsync("f17");
        var authorised = await purchase.AuthorizeAsync(new("delay", "apply", DelayMs: 300));

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => purchase.ApproveAsync(authorised)));

        Assert.All(answers, a => Assert.Contains(a, new[] { PaymentState.Paid, PaymentState.Settling, "payment-in-progress" }));
        var payment = Assert.Single(await Stack.Sandbox.LedgerAsync(purchase.OrderId));
        Assert.Equal(1, payment.ApplyCalls);
        await ShouldBePaidAsync(purchase);
    }

    [Fact]
    public async Task F39_Duplicates_of_a_preparation_and_of_an_approval_get_one_answer_or_are_told_to_come_again()
    {
        var purchase = await OrderAsync("payment-duplicates");

        // This is the number of requests that one user can send per second, including the order.
        var prepared = await DuplicatesAsync(9, () => purchase.PrepareAsync(key: "prepare"));
        var authorised = await purchase.AuthorizeAsync(new("delay", "apply", DelayMs: 300));
        var approved = await DuplicatesAsync(20, () => purchase.SendApproveAsync(authorised, "approve"));

        Assert.Single(prepared.Distinct());
        Assert.Single(approved.Where(a => a != "idempotency-key-in-flight").Distinct());
        Assert.Equal(1, Assert.Single(await Stack.Sandbox.LedgerAsync(purchase.OrderId)).ApplyCalls);
        await ShouldBePaidAsync(purchase);
        using var again = await purchase.SendApproveAsync(authorised, "approve");
        Assert.Contains(await again.Content.ReadAsStringAsync(Cancelled), approved);
        Assert.Equal(["true"], again.Headers.GetValues("Idempotent-Replayed"));

        static Task<string[]> DuplicatesAsync(int count, Func<Task<HttpResponseMessage>> send) => Task.WhenAll(Enumerable.Range(0, count).Select(async _ =>
        {
            using var answer = await send();
            if (answer.StatusCode == HttpStatusCode.OK) return await answer.Content.ReadAsStringAsync(Cancelled);
            Assert.NotNull(answer.Headers.RetryAfter);
            return await answer.SlugAsync();
        }));
    }

    [Fact]
    public async Task F37_Of_a_cancel_and_an_approval_one_wins()
    {
        for (var i = 0; i < 10; i++)
        {
            var purchase = await PrepareAsync($"f37-{i}");
            var authorised = await purchase.AuthorizeAsync();

            var approval = i % 2 == 0 ? purchase.ApproveAsync(authorised) : null;
            var cancel = purchase.User.PostAsync($"/api/orders/{purchase.OrderId}/cancel", null);
            approval ??= purchase.ApproveAsync(authorised);
            using var cancelled = await cancel;

            var told = await approval;
            if (told == PaymentState.Settling) await Eventually.EqualAsync(told = PaymentState.Paid, () => PaymentStatusAsync(purchase));
            var won = told == PaymentState.Paid;
            Assert.NotEqual(won, cancelled.IsSuccessStatusCode);
            Assert.Equal(won ? Price : 0, await purchase.CapturedAsync());
        }

        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F37_Of_two_refunds_at_once_one_gives_the_money_back()
    {
        var purchase = await PayAsync("f37-refunds");

        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => purchase.RefundAsync(Price)));

        Assert.Single(answers, a => a is PaymentState.Refunded or PaymentState.Settling);
        Assert.All(answers, a => Assert.Contains(a, new[] { PaymentState.Refunded, PaymentState.Settling, "payment-in-progress", "not-refundable" }));
        await Eventually.EqualAsync(0, purchase.CapturedAsync);
        await CheckConsistencyAsync();
        Assert.Equal(10, await StockAsync(purchase));
    }
}

/// <summary>The gateway hangs, drops connections, reports wrong data, or reports a concurrent request.</summary>
public sealed class GatewayFaultTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Theory]
    [InlineData("approveThenHang")]
    [InlineData("approveThenDrop")]
    [InlineData("approveThen5xx")]
    [InlineData("approveThenMalformed")]
    public async Task F18_A_capture_whose_answer_is_lost_is_found_at_once(string kind)
    {
        var purchase = await PrepareAsync("f18");

        Assert.Equal(PaymentState.Paid, await purchase.ApproveAsync(await purchase.AuthorizeAsync(new(kind, "apply"))));

        await ShouldBePaidAsync(purchase);
        Assert.Equal("SUCCEEDED", await AttemptsAsync(purchase));
    }

    [Fact]
    public async Task F18_A_capture_whose_answer_and_history_are_lost_is_settled_as_paid()
    {
        var purchase = await PrepareAsync("f18-settling");
        var authorised = await purchase.AuthorizeAsync(new("approveThenDrop", "apply", Count: 1));
        await using (await Stack.WithGatewayFaultsAsync(new SandboxFault("status5xx", "history")))
        {
            using var answer = await purchase.SendApproveAsync(authorised, "f18");
            Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
            Assert.NotNull(answer.Headers.RetryAfter);
            Assert.Equal("SETTLING", (await answer.Content.ReadFromJsonAsync<ApprovedPayment>(Cancelled))!.Status);
        }

        await ShouldBePaidAsync(purchase);
        // The same request gets the later result.
        using var later = await purchase.SendApproveAsync(authorised, "f18");
        Assert.Equal(HttpStatusCode.OK, later.StatusCode);
    }

    [Fact]
    public async Task What_the_gateway_leaves_open_for_too_long_is_known_until_it_is_settled()
    {
        var payments = Stack.Services.GetRequiredService<PaymentRepository>();
        var purchase = await PrepareAsync("overdue");
        await using (await Stack.WithGatewayFaultsAsync(new SandboxFault("code", "history", Code: "Somehow")))
        {
            Assert.Equal(PaymentState.Settling, await purchase.ApproveAsync(await purchase.AuthorizeAsync(new("approveThenDrop", "apply"))));
            Assert.Null(await payments.FindOverdueAsync(TimeSpan.FromMinutes(5), Cancelled));
            var overdue = await Eventually.GetAsync(() => payments.FindOverdueAsync(TimeSpan.FromSeconds(3), Cancelled), found => found is not null);
            Assert.Equal((1, purchase.OrderId), (overdue!.Count, overdue.OrderId));
        }

        await ShouldBePaidAsync(purchase);
        Assert.Null(await payments.FindOverdueAsync(TimeSpan.Zero, Cancelled));
    }

    [Fact]
    public Task F19_F20_What_the_gateway_never_processed_is_given_up_and_the_order_can_be_paid_again() =>
        // The cases run in parallel, because most of the time is waiting.
        Task.WhenAll(new[] { "hang", "drop", "status5xx", "malformed", "empty" }.Select(GivenUpAsync));

    async Task GivenUpAsync(string kind)
    {
        var purchase = await PrepareAsync("f19-" + kind);

        Assert.Equal(PaymentState.Settling, await purchase.ApproveAsync(await purchase.AuthorizeAsync(new(kind, "apply", Count: 1))));

        // The attempt may have been abandoned a moment ago.
        var told = await purchase.ApproveAsync(await purchase.AuthorizeAsync());
        Assert.True(told == "payment-in-progress" || (await AttemptsAsync(purchase)).StartsWith("ABANDONED ", StringComparison.Ordinal), $"{kind}: {told}");
        if (told == "payment-in-progress") await ShouldBePayableAsync(purchase);
        else await ShouldBePaidAsync(purchase);
        Assert.Equal((kind, "ABANDONED SUCCEEDED"), (kind, await AttemptsAsync(purchase)));
    }

    [Fact]
    public Task A_capture_that_comes_after_it_was_given_up_pays_the_order_or_goes_back() =>
        // The cases run in parallel, because most of the time is waiting.
        Task.WhenAll(new[] { "nothing", "paid otherwise", "paid with the same", "cancelled" }.Select(CapturedLateAsync));

    async Task CapturedLateAsync(string meanwhile)
    {
        var purchase = await PrepareAsync("late-" + meanwhile.Replace(' ', '-'));
        var slow = await purchase.AuthorizeAsync(new("delay", "apply", Count: 1, DelayMs: 20_000));
        Assert.Equal(PaymentState.Settling, await purchase.ApproveAsync(slow));
        await Eventually.EqualAsync("ABANDONED", () => AttemptsAsync(purchase));
        switch (meanwhile)
        {
            case "paid otherwise":
                await PayAsync(purchase, await purchase.AuthorizeAsync());
                break;
            case "paid with the same":
                Assert.Equal(PaymentState.Settling, await purchase.ApproveAsync(slow));
                break;
            case "cancelled":
                using (var cancelled = await purchase.User.PostAsync($"/api/orders/{purchase.OrderId}/cancel", null))
                    Assert.True(cancelled.IsSuccessStatusCode);
                break;
        }

        await Eventually.GetAsync(() => Stack.Sandbox.LedgerAsync(purchase.OrderId), l => l[0].Captured > 0);

        await Eventually.GetAsync(() => AttemptsAsync(purchase), attempts => meanwhile switch
        {
            "nothing" => attempts == "SUCCEEDED",
            "paid otherwise" => attempts == "CANCELLED SUCCEEDED",
            // Both attempts are for this capture, and the second may also be abandoned before the capture arrives. It belongs to one of
            // them.
            "paid with the same" => attempts is "ABANDONED SUCCEEDED" or "SUCCEEDED ABANDONED",
            _ => attempts == "CANCELLED",
        });
        await CheckConsistencyAsync();
        Assert.Equal(meanwhile == "cancelled" ? 0 : Price, await purchase.CapturedAsync());
    }

    [Theory]
    [InlineData("wrongAmount")]
    [InlineData("wrongOrder")]
    public async Task F22_A_capture_of_another_amount_or_order_goes_back(string kind)
    {
        var purchase = await PrepareAsync("f22");
        var authorised = await purchase.AuthorizeAsync(new(kind, "apply"));

        Assert.Equal("payment-mismatch", await purchase.ApprovedAsync(authorised));

        Assert.Equal(0, await purchase.CapturedAsync());
        Assert.Equal("payment-mismatch", await purchase.ApproveAsync(authorised));
        await ShouldBePayableAsync(purchase);
        Assert.Equal("CANCELLED SUCCEEDED", await AttemptsAsync(purchase));
    }

    [Fact]
    public async Task F22_A_wrong_capture_that_cannot_be_cancelled_at_once_is_cancelled_later()
    {
        var purchase = await PrepareAsync("f22-later");
        await using (await Stack.WithGatewayFaultsAsync(
            new SandboxFault("wrongAmount", "apply", Count: 1), new SandboxFault("code", "cancel", Count: 2, Code: "CancelNotComplete")))
        {
            Assert.Equal(PaymentState.Settling, await purchase.ApproveAsync(await purchase.AuthorizeAsync()));
            await Eventually.EqualAsync("CANCELLED", () => AttemptsAsync(purchase));
        }

        Assert.Equal(0, await purchase.CapturedAsync());
        await ShouldBePayableAsync(purchase);
    }

    [Fact]
    public async Task F23_Already_on_going_is_asked_not_believed()
    {
        var purchase = await PrepareAsync("f23-going");

        Assert.Equal(PaymentState.Settling, await purchase.ApproveAsync(await purchase.AuthorizeAsync(new("code", "apply", Count: 1, Code: "AlreadyOnGoing"))));

        await ShouldBePayableAsync(purchase);
    }

    [Fact]
    public async Task F23_Already_complete_is_asked_and_pays()
    {
        var purchase = await PrepareAsync("f23-complete");
        var authorised = await purchase.AuthorizeAsync();
        // A call that is not recorded here captures the payment.
        var gateway = Stack.Services.GetRequiredService<PaymentGateway>();
        Assert.IsType<ApproveOutcome.Approved>(await gateway.ApproveAsync(authorised, Guid.NewGuid().ToString(), Cancelled));

        await PayAsync(purchase, authorised);

        await ShouldBePaidAsync(purchase);
    }

    [Theory]
    [InlineData("code", "CancelNotComplete", 3)]
    [InlineData("hang", null, 1)]
    [InlineData("approveThenDrop", null, 1)]
    [InlineData("status5xx", null, 2)]
    public async Task F24_A_refund_that_the_gateway_has_not_confirmed_is_repeated_until_it_is_done(string kind, string? code, int count)
    {
        var purchase = await PayAsync("f24");
        await ShouldBePaidAsync(purchase);
        await using (await Stack.WithGatewayFaultsAsync(new SandboxFault(kind, "cancel", count, Code: code)))
        {
            var key = Guid.NewGuid().ToString();
            Assert.Equal("SETTLING", await purchase.RefundAsync(5_000, key));
            await Eventually.EqualAsync("PARTIALLY_REFUNDED", () => purchase.RefundAsync(5_000, key));
        }

        Assert.Equal(Price - 5_000, await purchase.CapturedAsync());
        Assert.Equal("REFUNDED", await purchase.RefundedAsync(Price - 5_000));
        await CheckConsistencyAsync();
        Assert.Equal(0, await purchase.CapturedAsync());
    }
}

/// <summary>The Api dies during a payment.</summary>
public sealed class PaymentCrashTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Fact]
    public async Task F21_A_capture_whose_Api_died_is_settled_as_paid()
    {
        var purchase = await PrepareAsync("f21-after");
        await DieAsync(purchase, Checkpoints.AfterApprove);

        await ShouldBePaidAsync(purchase);
    }

    [Fact]
    public async Task F21_An_approval_whose_Api_died_before_the_call_can_be_made_again()
    {
        var purchase = await PrepareAsync("f21-before");
        await DieAsync(purchase, Checkpoints.BeforeApprove);

        await ShouldBePayableAsync(purchase);
        Assert.Equal("ABANDONED SUCCEEDED", await AttemptsAsync(purchase));
    }

    [Fact]
    public async Task A_caller_who_goes_away_does_not_stop_the_payment()
    {
        var purchase = await PrepareAsync("gone");
        var authorised = await purchase.AuthorizeAsync(new("delay", "apply", DelayMs: 1_500));
        using var impatient = new CancellationTokenSource();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/payments/approve") { Content = JsonContent.Create(new { purchase.OrderId, pgPaymentId = authorised }) };
        request.Headers.Authorization = new("Bearer", purchase.User.Token);
        request.Headers.Add("Idempotency-Key", "gone");

        var approval = purchase.User.Client.SendAsync(request, impatient.Token);
        await ProcessingAsync(purchase);
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => approval);

        // The time is before the reconciler takes over after 12 s.
        await Eventually.EqualAsync(PaymentState.Paid, () => PaymentStatusAsync(purchase), TimeSpan.FromSeconds(9));
        // The response is stored shortly after the payment commits. Until then the key is in flight.
        await Eventually.EqualAsync(HttpStatusCode.OK, async () =>
        {
            using var again = await purchase.SendApproveAsync(authorised, "gone");
            return again.StatusCode;
        });
        await ShouldBePaidAsync(purchase);
    }

    [Fact]
    public async Task A_caller_who_goes_away_before_the_database_has_begun_does_not_stop_the_payment()
    {
        var purchase = await PrepareAsync("gone-early");
        var authorised = await purchase.AuthorizeAsync();
        using var impatient = new CancellationTokenSource();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/payments/approve") { Content = JsonContent.Create(new { purchase.OrderId, pgPaymentId = authorised }) };
        request.Headers.Authorization = new("Bearer", purchase.User.Token);
        request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());

        await Database.ExecuteInTransactionAsync(async transaction =>
        {
            // The approval waits for the order's row, and its caller disconnects.
            await transaction.ExecuteAsync("SELECT 1 FROM orders WHERE id = @OrderId FOR UPDATE", new { purchase.OrderId });
            var approval = purchase.User.Client.SendAsync(request, impatient.Token);
            // innodb_trx is not used, because it caches its result for 100 ms.
            await Eventually.EqualAsync(1, () => transaction.SingleAsync<int>(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE orders o STRAIGHT_JOIN payment p%'"));
            await impatient.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => approval);
            // The Api has noticed the disconnect by then.
            await Task.Delay(TimeSpan.FromMilliseconds(200), Cancelled);
            return true;
        }, Cancelled);

        await ShouldBePaidAsync(purchase);
        Assert.Equal("SUCCEEDED", await AttemptsAsync(purchase));
    }

    [Fact]
    public async Task An_Api_that_freezes_while_the_gateway_works_is_overtaken_and_changes_nothing_when_it_is_back()
    {
        var purchase = await PrepareAsync("frozen");
        var authorised = await purchase.AuthorizeAsync(new("delay", "apply", DelayMs: 2_000));
        var approval = purchase.SendApproveAsync(authorised);
        await ProcessingAsync(purchase);

        await Stack.FreezeAsync("api");
        try
        {
            await Eventually.EqualAsync(PaymentState.Paid, () => PaymentStatusAsync(purchase));
        }
        finally
        {
            await Stack.ThawAsync("api");
        }

        using var answer = await approval;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await ShouldBePaidAsync(purchase);
        Assert.Equal("SUCCEEDED", await AttemptsAsync(purchase));
    }

    [Fact]
    public async Task F38_A_capture_that_the_database_could_not_take_down_is_settled_when_it_can()
    {
        var prepared = await PrepareAsync("f38-payments");
        var purchase = prepared with { User = prepared.User.Impatient };
        var authorised = await purchase.AuthorizeAsync(new("delay", "apply", DelayMs: 2_500));
        var approval = purchase.SendApproveAsync(authorised);
        await ProcessingAsync(purchase);
        await Database.ExecuteAsync("SET GLOBAL super_read_only = ON", null, Cancelled);
        try
        {
            using var answer = await approval;
            await answer.ShouldBeProblemAsync(HttpStatusCode.ServiceUnavailable, "dependency-unavailable");
            using var refused = await purchase.SendApproveAsync(authorised);
            await refused.ShouldBeProblemAsync(HttpStatusCode.ServiceUnavailable, "dependency-unavailable");
        }
        finally
        {
            await Database.ExecuteAsync("SET GLOBAL super_read_only = OFF", null, CancellationToken.None);
            await Database.ExecuteAsync("SET GLOBAL read_only = OFF", null, CancellationToken.None);
        }

        await ShouldBePaidAsync(purchase);
        Assert.Equal(1, (await Stack.Sandbox.LedgerAsync(purchase.OrderId))[0].ApplyCalls);
    }

    [Fact]
    public async Task A_paid_order_without_stock_is_refunded_by_itself()
    {
        var purchase = await PrepareAsync("shortfall");
        await Database.ExecuteAsync("UPDATE product SET stock = 0 WHERE id = @Id", new { purchase.Product.Id }, Cancelled);
        await Database.ExecuteAsync("INSERT INTO product_stock_audit (product_id, event_id, delta, reason) VALUES (@Id, @test, -10, 'test')",
            new { purchase.Product.Id, test = $"test:{purchase.OrderId}" }, Cancelled);

        Assert.Contains(await purchase.ApproveAsync(await purchase.AuthorizeAsync()), new[] { PaymentState.Paid, PaymentState.Settling });

        await Eventually.EqualAsync(OrderState.Refunded, () => OrderStatusAsync(purchase));
        Assert.Equal(PaymentState.Refunded, await PaymentStatusAsync(purchase));
        Assert.Equal(0, await purchase.CapturedAsync());
        Assert.Equal("SHORTFALL", (await purchase.DetailAsync()).GetProperty("refunds")[0].GetProperty("reason").GetString());
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_refund_for_want_of_stock_that_the_gateway_refuses_is_asked_for_again_until_it_is_done()
    {
        var purchase = await PrepareAsync("shortfall-refused");
        await Database.ExecuteAsync("UPDATE product SET stock = 0 WHERE id = @Id", new { purchase.Product.Id }, Cancelled);
        await Database.ExecuteAsync("INSERT INTO product_stock_audit (product_id, event_id, delta, reason) VALUES (@Id, @test, -10, 'test')",
            new { purchase.Product.Id, test = $"test:{purchase.OrderId}" }, Cancelled);
        await using (await Stack.WithGatewayFaultsAsync(new SandboxFault("code", "cancel", Count: 2, Code: "CancelDeadlineExpired")))
        {
            Assert.Contains(await purchase.ApproveAsync(await purchase.AuthorizeAsync()), new[] { PaymentState.Paid, PaymentState.Settling });
            await Eventually.EqualAsync(OrderState.Refunded, () => OrderStatusAsync(purchase));
        }

        var refunds = (await purchase.DetailAsync()).GetProperty("refunds").EnumerateArray().ToList();
        Assert.Equal(["REFUSED", "REFUSED", "DONE"], refunds.Select(r => r.GetProperty("status").GetString()));
        // The second wait is twice as long as the first.
        var asked = refunds.ConvertAll(r => r.GetProperty("createdAt").GetDateTime());
        Assert.True(asked[1] - asked[0] >= TimeSpan.FromSeconds(1), $"{asked[1] - asked[0]}");
        Assert.True(asked[2] - asked[1] >= TimeSpan.FromSeconds(2), $"{asked[2] - asked[1]}");
        Assert.Equal(0, await purchase.CapturedAsync());
        await CheckConsistencyAsync();
    }

    async Task DieAsync(Purchase purchase, string checkpoint)
    {
        var authorised = await purchase.AuthorizeAsync();
        Stack.Arm(checkpoint);
        await Assert.ThrowsAsync<HttpRequestException>(() => purchase.SendApproveAsync(authorised));
        await Stack.StoppedAsync("api");
        await Stack.StartAsync("api");
    }
}
