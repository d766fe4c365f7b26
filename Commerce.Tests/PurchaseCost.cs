using System.Diagnostics;
using System.Globalization;

namespace Commerce.Tests;

/// <summary>Counts the work of MySQL for a purchase. Unlike a rate, the counts do not depend on the machine.</summary>
public abstract class PurchaseCost(CommerceStack stack) : PaymentStackTests(stack)
{
    const int Users = 16, Rounds = 5;

    /// <summary>
    /// The maximum number of statements. Order, prepare and approve take 26, and 4 more if changes are published. Purchases at the same
    /// time share the statements of relay and consumer.
    /// </summary>
    const double MostStatements = 36;

    /// <summary>
    /// The maximum number of commits. The Api has four. Purchases at the same time share the two of the relay and the one of the
    /// consumer.
    /// </summary>
    const double MostCommits = 5;

    /// <summary>Fails if a purchase takes more statements or commits than allowed.</summary>
    protected async Task CheckCostAsync()
    {
        var product = await Stack.ProductAsync(stock: 1_000, Price);
        var users = await Stack.UsersAsync("cost", Users);
        await Database.ExecuteAsync("SET GLOBAL innodb_monitor_enable = 'trx_rw_commits'", null, Cancelled);
        await BuyAsync();
        await TakenAsync(Users);
        var (before, start) = (await CountAsync(), Stopwatch.GetTimestamp());
        await Task.Delay(TimeSpan.FromSeconds(3), Cancelled);
        var (after, rested) = (await CountAsync(), Stopwatch.GetElapsedTime(start));
        var atRest = (Statements: (after.Statements - before.Statements) / rested.TotalSeconds, Commits: (after.Commits - before.Commits) / rested.TotalSeconds);

        (before, start) = (await CountAsync(), Stopwatch.GetTimestamp());
        for (var i = 0; i < Rounds; i++) await BuyAsync();
        await TakenAsync(Users * (Rounds + 1));
        (after, var took) = (await CountAsync(), Stopwatch.GetElapsedTime(start).TotalSeconds);

        var statements = (after.Statements - before.Statements - (atRest.Statements * took)) / (Users * Rounds);
        var commits = (after.Commits - before.Commits - (atRest.Commits * took)) / (Users * Rounds);
        TestContext.Current.SendDiagnosticMessage(string.Create(CultureInfo.InvariantCulture, $"A purchase: {statements:F1} statements, {commits:F2} commits"));
        Assert.InRange(statements, 1, MostStatements);
        Assert.InRange(commits, 1, MostCommits);
        await CheckConsistencyAsync();

        Task BuyAsync() => Task.WhenAll(users.Select(async user =>
        {
            var purchase = new Purchase(Stack.Sandbox, user, product, await user.PlaceAsync(product.Id));
            using (var prepared = await purchase.PrepareAsync()) Assert.True(prepared.IsSuccessStatusCode, await prepared.Content.ReadAsStringAsync());
            await PayAsync(purchase, await purchase.AuthorizeAsync());
        }));

        Task TakenAsync(int pieces) =>
            Eventually.EqualAsync(1_000 - pieces, () => Database.SingleAsync<int>("SELECT stock FROM product WHERE id = @Id", new { product.Id }, Cancelled));
    }

    async Task<(double Statements, double Commits)> CountAsync() => (
        double.Parse((await Database.SingleAsync<(string, string)>("SHOW GLOBAL STATUS LIKE 'Questions'", null, Cancelled)).Item2, CultureInfo.InvariantCulture),
        await Database.SingleAsync<long>("SELECT `count` FROM information_schema.innodb_metrics WHERE name = 'trx_rw_commits'", null, Cancelled));
}
