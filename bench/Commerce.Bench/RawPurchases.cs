using System.Data.Common;
using System.Diagnostics;
using System.Net.Http.Json;
using System.Security.Cryptography;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Bench;

/// <summary>
/// The lower bound of a purchase: it only writes the rows that a purchase leaves. Each of the purchase's transactions is one command:
/// order, prepare, the beginning and the end of the approval, and the stock.
/// </summary>
sealed class RawPurchases
{
    const string Order = """
        START TRANSACTION;
        INSERT INTO idempotency_key (scope, body_hash, status, content_type, location, answer) VALUES (@key1, @key1, 201, 'application/json', @location, @answer);
        INSERT INTO orders (id, user_id, status, total_amount, discount, coupon_id, holding, hold_expires_at)
        VALUES (@id, @user, 'CREATED', 1000, 0, NULL, FALSE, UTC_TIMESTAMP(6) + INTERVAL 10 MINUTE);
        INSERT INTO shipping_info (order_id, recipient, phone, zipcode, address1, address2) VALUES (@id, @recipient, @phone, @zipcode, @address1, @address2);
        INSERT INTO order_item (order_id, product_id, quantity, price) VALUES (@id, @product, 1, 1000);
        COMMIT
        """;

    const string Prepare = """
        START TRANSACTION;
        UPDATE orders SET status = 'PENDING_PAYMENT', extended = TRUE, hold_expires_at = UTC_TIMESTAMP(6) + INTERVAL 10 MINUTE WHERE id = @id;
        INSERT INTO payment (id, order_id, user_id, amount, status) VALUES (@payment, @id, @user, 1000, 'PENDING');
        INSERT INTO idempotency_key (scope, body_hash, status, content_type, answer) VALUES (@key2, @key2, 200, 'application/json', @answer);
        COMMIT
        """;

    const string Begin = """
        START TRANSACTION;
        INSERT INTO idempotency_key (scope, body_hash, claim, lease_until) VALUES (@key3, @key3, @payment, UTC_TIMESTAMP(6) + INTERVAL 60 SECOND);
        UPDATE orders SET pinned = TRUE WHERE id = @id;
        UPDATE payment SET status = 'APPROVING', pg_payment_id = @pg, attempt = 1 WHERE id = @payment;
        INSERT INTO pg_payment (pg_payment_id, payment_id) VALUES (@pg, @payment);
        INSERT INTO payment_attempt (payment_id, number, pg_payment_id, status, check_at)
        VALUES (@payment, 1, @pg, 'INFLIGHT', UTC_TIMESTAMP(6) + INTERVAL 60 SECOND);
        COMMIT
        """;

    // The waiting row of the outbox is inserted and deleted in this transaction, so that no relay sees it.
    const string Pay = """
        START TRANSACTION;
        UPDATE orders SET status = 'PAID', pinned = FALSE, paid_at = UTC_TIMESTAMP(6) WHERE id = @id;
        UPDATE payment_attempt SET status = 'SUCCEEDED', ended_at = UTC_TIMESTAMP(6), check_at = NULL WHERE payment_id = @payment AND number = 1;
        UPDATE payment SET status = 'PAID', paid_at = UTC_TIMESTAMP(6) WHERE id = @payment;
        INSERT INTO outbox (shard, topic, message_key, message_id, payload) VALUES (0, 'raw', @id, @id, @answer);
        INSERT INTO outbox_waiting (shard, id) VALUES (0, LAST_INSERT_ID());
        DELETE FROM outbox_waiting WHERE shard = 0 AND id = LAST_INSERT_ID();
        UPDATE idempotency_key SET status = 200, content_type = 'application/json', answer = @answer, claim = NULL, lease_until = NULL WHERE scope = @key3;
        COMMIT
        """;

    // The stock does not change. The gate does not know these purchases, and the reconciler would repair the difference.
    const string Stock = """
        START TRANSACTION;
        INSERT INTO inbox (consumer, message_id) VALUES ('raw', @id);
        UPDATE product SET version = version + 1 WHERE id = @product;
        INSERT INTO product_stock_audit (product_id, event_id, delta, reason) VALUES (@product, CONCAT('placed:', @id), 0, 'RAW');
        UPDATE orders SET coupon_id = 0 WHERE id = @id;
        COMMIT
        """;

    readonly BenchStack _stack;
    readonly ShippingRequest _shipping;
    readonly int _together;
    readonly List<long> _products = [];

    RawPurchases(BenchStack stack, ShippingRequest shipping, int together) => (_stack, _shipping, _together) = (stack, shipping, together);

    /// <summary>Creates purchases with their own products, so that nobody else locks the product rows.</summary>
    public static async Task<RawPurchases> CreateAsync(BenchStack stack, ShippingRequest shipping, int together, int products)
    {
        var raw = new RawPurchases(stack, shipping, together);
        for (var i = 0; i < products; i++)
        {
            using var answer = await stack.Admin.PostAsJsonAsync("/api/admin/products", new ProductDefinition("raw", 1000, 10_000_000));
            raw._products.Add((await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<Product>())!.Id);
        }

        return raw;
    }

    /// <summary>Writes as many purchases as possible for the given time. Returns their number per second.</summary>
    public async Task<double> RunAsync(TimeSpan time)
    {
        var source = _stack.Services.GetRequiredService<DbDataSource>();
        var (count, start) = (0, Stopwatch.GetTimestamp());
        await Task.WhenAll(Enumerable.Range(0, _together).Select(async worker =>
        {
            await Task.Yield();
            for (var i = worker; Stopwatch.GetElapsedTime(start) < time; i += _together)
            {
                var (id, payment, answer) = (Guid.CreateVersion7().ToString(), Guid.CreateVersion7().ToString(), new byte[140]);
                (string Name, object Value)[] values =
                [
                    ("id", id), ("payment", payment), ("pg", payment), ("user", $"raw{worker}"), ("product", _products[i % _products.Count]), ("answer", answer),
                    ("key1", RandomNumberGenerator.GetBytes(32)), ("key2", RandomNumberGenerator.GetBytes(32)), ("key3", RandomNumberGenerator.GetBytes(32)),
                    ("location", $"/api/orders/{id}"), ("recipient", _shipping.Recipient!), ("phone", _shipping.Phone!), ("zipcode", _shipping.Zipcode!),
                    ("address1", _shipping.Address1!), ("address2", _shipping.Address2!),
                ];
                foreach (var sql in new[] { Order, Prepare, Begin, Pay, Stock })
                {
                    await using var connection = await source.OpenConnectionAsync();
                    await using var command = connection.CreateCommand();
                    command.CommandText = sql;
                    foreach (var (name, value) in values)
                    {
                        var parameter = command.CreateParameter();
                        (parameter.ParameterName, parameter.Value) = (name, value);
                        command.Parameters.Add(parameter);
                    }

                    await command.ExecuteNonQueryAsync();
                }

                Interlocked.Increment(ref count);
            }
        }));
        var rate = count / Stopwatch.GetElapsedTime(start).TotalSeconds;
        await ForgetAsync();
        return rate;
    }

    /// <summary>Deletes the orders, so that the reconcilers do not see them. They belong to no user.</summary>
    async Task ForgetAsync()
    {
        var database = _stack.Services.GetRequiredService<MySqlDatabase>();
        foreach (var sql in new[]
        {
            "DELETE a FROM payment_attempt a JOIN payment p ON p.id = a.payment_id WHERE p.user_id LIKE 'raw%'",
            "DELETE g FROM pg_payment g JOIN payment p ON p.id = g.payment_id WHERE p.user_id LIKE 'raw%'",
            "DELETE FROM payment WHERE user_id LIKE 'raw%'",
            "DELETE t FROM order_item t JOIN orders o ON o.id = t.order_id WHERE o.user_id LIKE 'raw%'",
            "DELETE t FROM shipping_info t JOIN orders o ON o.id = t.order_id WHERE o.user_id LIKE 'raw%'",
            "DELETE FROM orders WHERE user_id LIKE 'raw%'",
            "DELETE FROM inbox WHERE consumer = 'raw'",
            "DELETE FROM outbox WHERE topic = 'raw'",
        })
        {
            await database.ExecuteAsync(sql, null, CancellationToken.None);
        }
    }
}
