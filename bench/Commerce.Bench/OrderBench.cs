using System.Data.Common;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Commerce.Bench;

/// <summary>
/// Measures the rates of placing and paying orders and deducting stock, and the time until expired holds are returned.
/// </summary>
sealed class OrderBench(BenchStack stack, bool quick, Figures figures)
{
    const int Rounds = 3;
    const int Together = 64;
    const int Products = 20;

    static readonly ShippingRequest Shipping = new("Hong Gildong", "010-1234-5678", "04524", "110 Sejong-daero, Jung-gu, Seoul", "3F");

    readonly TimeSpan _warmUp = TimeSpan.FromSeconds(quick ? 4 : 8);
    readonly TimeSpan _round = TimeSpan.FromSeconds(quick ? 3 : 8);
    readonly int _stepwise = quick ? 1_000 : 4_000;
    readonly int _purchaseRounds = quick ? 3 : 5;
    readonly List<long> _products = [];

    MySqlDatabase Database => stack.Services.GetRequiredService<MySqlDatabase>();

    public async Task RunAsync()
    {
        for (var i = 0; i < Products; i++) _products.Add(await ProductAsync());
        await OrdersAsync();
        await PurchasesAsync();
        await LapseAsync();
    }

    /// <summary>Measures only the purchases.</summary>
    public async Task RunPurchasesAsync()
    {
        for (var i = 0; i < Products; i++) _products.Add(await ProductAsync());
        await PurchasesAsync();
    }

    async Task<long> ProductAsync()
    {
        using var answer = await stack.Admin.PostAsJsonAsync("/api/admin/products", new ProductDefinition("bench", 1000, 10_000_000));
        return (await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<Product>())!.Id;
    }

    /// <summary>Measures orders of two lines through the Api, alternately with the same rows in bare transactions.</summary>
    async Task OrdersAsync()
    {
        var tokensFile = Path.GetTempFileName();
        await File.WriteAllLinesAsync(tokensFile, Enumerable.Range(0, 10_000).AsParallel().Select(i => BenchStack.Token($"o{i}")));
        var url = new Uri(stack.ApiUrl, "/api/orders");
        var body = JsonSerializer.Serialize(
            new { items = new[] { new OrderLine(_products[0], 1), new OrderLine(_products[1], 2) }, shipping = Shipping }, JsonSerializerOptions.Web);
        await Load.AsMuchAsGoesAsync(url, tokensFile, _round, body);
        await RawAsync();
        var rounds = new List<(double Raw, double Orders, double P99)>();
        for (var i = 0; i < Rounds; i++)
        {
            var raw = await RawAsync();
            var orders = await Load.AsMuchAsGoesAsync(url, tokensFile, _round, body);
            if (orders.Refused > 0) throw new InvalidOperationException($"{orders.Refused} orders were refused.");
            rounds.Add((raw, orders.PerSecond, orders.P99));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  round {i + 1}: raw {raw:F0}/s, orders {orders.PerSecond:F0}/s"));
        }

        File.Delete(tokensFile);
        figures.Ceiling("the rows of an order in one transaction, raw", Figures.Rate(Figure.Median(rounds.Select(r => r.Raw)), "transactions"));
        figures.Add("orders taken", Figures.Rate(Figure.Median(rounds.Select(r => r.Orders)), "orders"));
        var ratio = Figure.Median(rounds.Select(r => r.Orders / r.Raw));
        figures.AtLeast("orders ÷ raw transactions with the same rows", ratio, 0.5);
    }

    /// <summary>Writes to the same five tables with one command each. Every connection runs one transaction at a time.</summary>
    async Task<double> RawAsync()
    {
        var source = stack.Services.GetRequiredService<DbDataSource>();
        var count = 0;
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Together).Select(async worker =>
        {
            await Task.Yield();
            while (Stopwatch.GetElapsedTime(start) < _round)
            {
                var id = Guid.CreateVersion7().ToString();
                await using var connection = await source.OpenConnectionAsync();
                await using var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.ReadCommitted);
                var key = System.Security.Cryptography.RandomNumberGenerator.GetBytes(32);
                await RunAsync("INSERT INTO idempotency_key (scope, body_hash, status, content_type, location, answer) VALUES (@scope, @scope, 201, 'application/json', @location, @answer)",
                    ("scope", key), ("location", $"/api/orders/{id}"), ("answer", new byte[140]));
                await RunAsync("INSERT INTO orders (id, user_id, status, total_amount, discount, coupon_id, holding, hold_expires_at) VALUES (@id, @user, 'CREATED', 3000, 0, NULL, FALSE, UTC_TIMESTAMP(6) + INTERVAL 10 MINUTE)",
                    ("id", id), ("user", $"raw{worker}"));
                await RunAsync("INSERT INTO shipping_info (order_id, recipient, phone, zipcode, address1, address2) VALUES (@id, @recipient, @phone, @zipcode, @address1, @address2)",
                    ("id", id), ("recipient", Shipping.Recipient!), ("phone", Shipping.Phone!), ("zipcode", Shipping.Zipcode!), ("address1", Shipping.Address1!), ("address2", Shipping.Address2!));
                await RunAsync("INSERT INTO order_item (order_id, product_id, quantity, price) VALUES (@id, @p1, 1, 1000), (@id, @p2, 2, 1000)",
                    ("id", id), ("p1", _products[0]), ("p2", _products[1]));
                await transaction.CommitAsync();
                Interlocked.Increment(ref count);

                async Task RunAsync(string sql, params (string Name, object Value)[] values)
                {
                    await using var command = connection.CreateCommand();
                    command.Transaction = transaction;
                    command.CommandText = sql;
                    foreach (var (name, value) in values)
                    {
                        var parameter = command.CreateParameter();
                        (parameter.ParameterName, parameter.Value) = (name, value);
                        command.Parameters.Add(parameter);
                    }

                    await command.ExecuteNonQueryAsync();
                }
            }
        }));
        var rate = count / Stopwatch.GetElapsedTime(start).TotalSeconds;
        // These orders hold nothing, so that audit and reaper ignore them.
        foreach (var table in new[] { "order_item", "shipping_info" })
            await Database.ExecuteAsync($"DELETE t FROM {table} t JOIN orders o ON o.id = t.order_id WHERE o.user_id LIKE 'raw%'", null, CancellationToken.None);
        await Database.ExecuteAsync("DELETE FROM orders WHERE user_id LIKE 'raw%'", null, CancellationToken.None);
        return rate;
    }

    /// <summary>Measures whole purchases: order, prepare, payment window and approve, until the stock is deducted.</summary>
    async Task PurchasesAsync()
    {
        var tokens = Enumerable.Range(0, 1000).Select(i => BenchStack.Token($"p{i}")).ToArray();
        using var handler = new SocketsHttpHandler { MaxConnectionsPerServer = Together };
        using var api = new HttpClient(handler, disposeHandler: false) { BaseAddress = stack.ApiUrl };
        using var window = new HttpClient(handler, disposeHandler: false) { BaseAddress = stack.SandboxUrl };
        string[] names = ["order", "prepare", "pay window", "approve"];
        var steps = names.Select(_ => new List<double>()).ToArray();
        var raw = await RawPurchases.CreateAsync(stack, Shipping, Together, Products);
        // The first compilation and the first connections are not measured.
        await raw.RunAsync(_warmUp);
        await BuyAsync(_warmUp);
        await SettledAsync();
        foreach (var step in steps) step.Clear();

        // The rounds alternate, so that both sides run under the same conditions.
        var rounds = new List<(double Raw, double Bought, double Whole)>();
        var (count, used, counted) = (0, ProcessorTimes.None, new StatementCount(0, 0, 0));
        await using var counter = await StatementCounter.StartAsync(Database);
        var atRest = await counter.PerSecondAsync(_warmUp);
        for (var i = 0; i < _purchaseRounds; i++)
        {
            var rawRate = await raw.RunAsync(_round);
            var (taken, processors, statements, start) = (await TakenAsync(), await ProcessorTimes.ReadAsync(stack), await counter.ReadAsync(), Stopwatch.GetTimestamp());
            var bought = await BuyAsync(_round);
            var rate = bought / Stopwatch.GetElapsedTime(start).TotalSeconds;
            await SettledAsync();
            var took = Stopwatch.GetElapsedTime(start).TotalSeconds;
            rounds.Add((rawRate, rate, (await TakenAsync() - taken) / took));
            count += bought;
            counted += await counter.ReadAsync() - statements - (atRest * took);
            used += await ProcessorTimes.ReadAsync(stack) - processors;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  round {i + 1}: raw {rawRate:F0}/s, purchases {rate:F0}/s"));
        }

        figures.Ceiling("the rows of a purchase, raw, one command for each transaction", Figures.Rate(Figure.Median(rounds.Select(r => r.Raw)), "purchases"));
        figures.Add("purchases (order, prepare, pay window, approve at 0 ms)", Figures.Rate(Figure.Median(rounds.Select(r => r.Bought)), "purchases"));
        figures.Add("purchases until the stock is taken, end to end", Figures.Rate(Figure.Median(rounds.Select(r => r.Whole)), "purchases"));
        figures.AtLeast("purchases ÷ the same rows raw", Figure.Median(rounds.Select(r => r.Bought / r.Raw)), 0.45);
        figures.Add("  statements, commits that wrote, log flushes of a purchase", string.Create(CultureInfo.InvariantCulture,
            $"{counted.Statements / count:F1}, {counted.Commits / count:F2}, {counted.Flushes / count:F2}"));
        foreach (var (name, step) in names.Zip(steps))
        {
            step.Sort();
            figures.Add($"  {name}, {Together} at once, p50 / p99", string.Create(CultureInfo.InvariantCulture, $"{step[step.Count / 2]:F1} / {step[(int)(step.Count * 0.99)]:F1} ms"));
        }

        figures.Add("  processor time of a purchase", used.ForEach(count));
        // Each step runs alone, to show its cost. The approval includes the work that it causes in the Workers.
        var purchases = Enumerable.Range(0, _stepwise).Select(i => new Bought(i)).ToArray();
        foreach (var (name, step) in new (string, Func<Bought, Task>)[] { ("order", OrderAsync), ("prepare", PrepareAsync), ("approve", ApproveAsync) })
        {
            if (name == "approve") await EachAsync(WindowAsync);
            var before = await ProcessorTimes.ReadAsync(stack);
            await EachAsync(step);
            await SettledAsync();
            figures.Add($"  processor time of {name} alone", (await ProcessorTimes.ReadAsync(stack) - before).ForEach(purchases.Length));
        }

        Task EachAsync(Func<Bought, Task> step) => Parallel.ForEachAsync(
            purchases, new ParallelOptions { MaxDegreeOfParallelism = Together }, async (purchase, _) => await step(purchase));

        async Task<int> BuyAsync(TimeSpan time)
        {
            var count = 0;
            var begin = Stopwatch.GetTimestamp();
            await Task.WhenAll(Enumerable.Range(0, Together).Select(async worker =>
            {
                for (var i = worker; Stopwatch.GetElapsedTime(begin) < time; i += Together)
                {
                    var purchase = new Bought(i);
                    await OrderAsync(purchase);
                    await PrepareAsync(purchase);
                    await WindowAsync(purchase);
                    await ApproveAsync(purchase);
                    Interlocked.Increment(ref count);
                }
            }));
            return count;
        }

        async Task OrderAsync(Bought purchase)
        {
            var order = await StepAsync(0, api, "/api/orders", purchase, new { items = new[] { new OrderLine(_products[purchase.Number % Products], 1) }, shipping = Shipping });
            (purchase.OrderId, purchase.Amount) = (order.GetProperty("orderId").GetString(), order.GetProperty("totalAmount").GetInt64());
        }

        Task PrepareAsync(Bought purchase) => StepAsync(1, api, "/api/payments/prepare", purchase, new { purchase.OrderId, purchase.Amount });

        async Task WindowAsync(Bought purchase) => purchase.PgPaymentId = (await StepAsync(2, window, "/pay", purchase, new
        {
            merchantPayKey = purchase.OrderId, totalPayAmount = purchase.Amount, merchantUserKey = "bench", productName = "bench",
        })).GetProperty("paymentId").GetString();

        Task ApproveAsync(Bought purchase) => StepAsync(3, api, "/api/payments/approve", purchase, new { purchase.OrderId, purchase.PgPaymentId });

        async Task<JsonElement> StepAsync(int step, HttpClient client, string path, Bought purchase, object body)
        {
            var begin = Stopwatch.GetTimestamp();
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", tokens[purchase.Number % tokens.Length]);
            request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());
            using var answer = await client.SendAsync(request);
            var json = await answer.Content.ReadFromJsonAsync<JsonElement>();
            if (!answer.IsSuccessStatusCode) throw new InvalidOperationException($"{path}: {json}");
            lock (steps[step]) steps[step].Add(Stopwatch.GetElapsedTime(begin).TotalMilliseconds);
            return json;
        }

        async Task SettledAsync()
        {
            while (await Database.SingleAsync<long>("SELECT COUNT(*) FROM orders WHERE status = 'PAID' AND holding", null, CancellationToken.None) > 0) await Task.Delay(20);
        }

        Task<long> TakenAsync() => Database.SingleAsync<long>("SELECT COUNT(*) FROM product_stock_audit WHERE reason = 'ORDER_PLACED'", null, CancellationToken.None);
    }

    sealed class Bought(int number)
    {
        public int Number => number;

        public string? OrderId { get; set; }

        public long Amount { get; set; }

        public string? PgPaymentId { get; set; }
    }

    /// <summary>
    /// Measures the time from the expiry of a hold on MySQL's clock until its stock is available in the gate, with 20,000 other holds.
    /// </summary>
    async Task LapseAsync()
    {
        var holds = quick ? 2_000 : 20_000;
        const int Lapsing = 500;
        var orders = ActivatorUtilities.CreateInstance<OrderService>(stack.Services);
        var ids = new string[holds];
        await Parallel.ForAsync(0, holds, new ParallelOptions { MaxDegreeOfParallelism = Together }, async (i, token) =>
            ids[i] = (await orders.PlaceAsync("lapse", new OrderRequest([new(_products[i % Products], 1)], Shipping), () => Task.CompletedTask, (_, _) => { }, token)).OrderId);

        var redis = stack.Services.GetRequiredService<IConnectionMultiplexer>().GetDatabase();
        var first = await Database.SingleAsync<DateTime>("SELECT UTC_TIMESTAMP(6) + INTERVAL 2 SECOND", null, CancellationToken.None);
        // MySQL uses the clock of this machine.
        var due = new Dictionary<string, DateTime>();
        for (var i = 0; i < Lapsing; i++)
        {
            due[ids[i]] = first.AddMilliseconds(20 * i);
            await Database.ExecuteAsync("UPDATE orders SET hold_expires_at = @at WHERE id = @id", new { at = due[ids[i]], id = ids[i] }, CancellationToken.None);
        }

        var delays = await ReturnedAsync(due);
        var p99 = delays[(int)(delays.Count * 0.99)];
        figures.Add(string.Create(CultureInfo.InvariantCulture, $"hold lapsed → stock back, {holds:N0} holds outstanding, p50 / p99"), string.Create(CultureInfo.InvariantCulture, $"{delays[delays.Count / 2]:F0} / {p99:F0} ms"), "≤ 1 s at p99", p99 <= 1000);

        var rest = ids.Skip(Lapsing).ToList();
        var now = await Database.SingleAsync<DateTime>("SELECT UTC_TIMESTAMP(6)", null, CancellationToken.None);
        await Database.ExecuteAsync("UPDATE orders SET hold_expires_at = @now WHERE user_id = 'lapse' AND holding", new { now }, CancellationToken.None);
        var all = await ReturnedAsync(rest.ToDictionary(id => id, _ => now));
        figures.Add(string.Create(CultureInfo.InvariantCulture, $"all {rest.Count:N0} at once, the last one back"), string.Create(CultureInfo.InvariantCulture, $"{all[^1]:F0} ms"));

        async Task<List<double>> ReturnedAsync(Dictionary<string, DateTime> waiting)
        {
            var took = new List<double>();
            while (waiting.Count > 0)
            {
                await Task.Delay(10);
                var asked = waiting.Keys.ToArray();
                var lines = await redis.HashGetAsync("{inventory}:lines", [.. asked.Select(id => (RedisValue)id)]);
                var seen = TimeProvider.System.GetUtcNow().UtcDateTime;
                foreach (var (id, line) in asked.Zip(lines))
                {
                    if (!line.IsNull) continue;
                    took.Add((seen - waiting[id]).TotalMilliseconds);
                    waiting.Remove(id);
                }
            }

            took.Sort();
            return took;
        }
    }
}
