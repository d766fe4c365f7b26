using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Commerce.Core.Consistency;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using MySqlConnector;

namespace Commerce.Tests.Faults.Topology;

/// <summary>MySQL with TLS and the users of infra/ec2-compose/mysql-users.sh. Each process has exactly the rights that it needs.</summary>
public sealed partial class SecureMySqlTests
{
    static readonly string Password = Convert.ToHexString(RandomNumberGenerator.GetBytes(16));

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_product_sells_over_TLS_as_users_with_the_rights_that_they_need()
    {
        await using var mysql = await MySqlPair.StartSecureAsync(await UsersAsync());
        await using var stack = new CommerceStack
        {
            // The tests read the database as the Api's user, too.
            Arguments = [$"--ConnectionStrings:commerce={mysql.ConnectionStringOf("api", Password)}"],
            Databases = new Dictionary<string, string>
            {
                ["schema"] = mysql.ConnectionStringOf("migrate", Password), ["workers"] = mysql.ConnectionStringOf("workers", Password),
            },
        };
        await stack.StartAsync();

        var coupon = await stack.CouponAsync(20);
        var shoppers = await stack.UsersAsync("secure", 30);
        var verdicts = await shoppers.SellAsync(coupon.Id);
        Assert.Equal(20, verdicts.Values.Count(v => v == ""));
        var product = await stack.ProductAsync(stock: 1);
        var order = await shoppers[0].PlaceAsync(product.Id);
        Assert.True((await shoppers[0].PostAsync("/api/payments/prepare", new { order.OrderId, amount = order.TotalAmount })).IsSuccessStatusCode);
        var pgPaymentId = await stack.Sandbox.PayAsync(order.OrderId, order.TotalAmount, shoppers[0].Id, null);
        Assert.True((await shoppers[0].PostAsync("/api/payments/approve", new { order.OrderId, pgPaymentId })).IsSuccessStatusCode);
        await Eventually.GetAsync(() => stack.Services.GetRequiredService<ConsistencyCheck>().RunAsync(Cancelled), report => report.Holds, TimeSpan.FromMinutes(2));

        foreach (var user in new[] { "api", "workers" })
        {
            await using var connection = new MySqlConnection($"{mysql.ConnectionStringOf(user, Password)};Pooling=false");
            Assert.NotEmpty((await connection.QuerySingleAsync<(string, string Cipher)>("SHOW STATUS LIKE 'Ssl_cipher'")).Cipher);
            foreach (var forbidden in new[] { "CREATE TABLE more (id INT)", "DROP TABLE coupon", "SELECT COUNT(*) FROM mysql.user", "SELECT 1 INTO OUTFILE '/tmp/more'" })
                Assert.Contains("denied", (await Assert.ThrowsAsync<MySqlException>(() => connection.ExecuteAsync(forbidden))).Message, StringComparison.Ordinal);
        }

        await using var open = new MySqlConnection($"{mysql.ConnectionStringOf("api", Password, "SslMode=None;AllowPublicKeyRetrieval=true")};Pooling=false");
        Assert.Contains("insecure transport", (await Assert.ThrowsAsync<MySqlException>(() => open.OpenAsync(Cancelled))).Message, StringComparison.Ordinal);
    }

    /// <summary>Returns the statements of the script, with one password for all users.</summary>
    static async Task<string> UsersAsync()
    {
        var script = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "infra", "ec2-compose", "mysql-users.sh"), Cancelled);
        return PasswordOfScript().Replace(Statements().Match(script).Groups[1].Value, Password);
    }

    [GeneratedRegex(@"<<SQL\n(.*)^SQL$", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Statements();

    [GeneratedRegex(@"\$\(password [a-z]+\)")]
    private static partial Regex PasswordOfScript();
}
