using Commerce.Core;
using Commerce.Core.Database;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Commerce.Bench;

/// <summary>
/// The ceilings of the Api, in a separate process with the same pipeline: a hello-world endpoint behind the same authentication, and
/// coupon issuing with a row lock on its own tables.
/// </summary>
static class CeilingApi
{
    public static async Task<int> RunAsync(string url)
    {
        var builder = WebApplication.CreateBuilder();
        builder.AddServiceDefaults();
        builder.AddCommerceAuthentication();
        builder.AddCommerceCore(commandTimeout: TimeSpan.FromSeconds(10));
        var app = builder.Build();
        app.UseServiceDefaults();
        app.MapDefaultEndpoints();
        app.MapHello();
        app.MapPost("/row-lock/{id:long}", IssueAsync).RequireAuthorization(Policies.Member);
        app.Urls.Add(url);
        await app.RunAsync();
        return 0;
    }

    /// <summary>
    /// Serves only the hello-world endpoint, to measure a load generator. It needs no servers and issues its own tokens.
    /// </summary>
    public static async Task<int> HelloAsync(string url)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = Environments.Development });
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.AddServiceDefaults();
        builder.AddCommerceAuthentication();
        var app = builder.Build();
        app.UseServiceDefaults();
        app.MapDefaultEndpoints();
        app.MapDevelopmentTokens();
        app.MapHello();
        app.Urls.Add(url);
        await app.RunAsync();
        return 0;
    }

    static void MapHello(this WebApplication app) =>
        app.MapPost("/hello", (CurrentUser user) => TypedResults.Ok(new Greeting(user.Id))).RequireAuthorization(Policies.Member);

    static async Task<IResult> IssueAsync(long id, CurrentUser user, MySqlDatabase database, CancellationToken cancellationToken) =>
        await database.ExecuteInTransactionAsync(async transaction =>
        {
            var left = await transaction.SingleAsync<int?>(
                "SELECT total_quantity - issued_quantity FROM bench_coupon WHERE id = @id AND UTC_TIMESTAMP(6) BETWEEN starts_at AND ends_at FOR UPDATE", new { id });
            if (left is not > 0) return false;
            if (await transaction.ExecuteAsync("INSERT IGNORE INTO bench_coupon_issue (coupon_id, user_id, issued_at) VALUES (@id, @userId, UTC_TIMESTAMP(6))", new { id, userId = user.Id }) == 0)
                return false;
            await transaction.ExecuteAsync("UPDATE bench_coupon SET issued_quantity = issued_quantity + 1 WHERE id = @id", new { id });
            return true;
        }, cancellationToken) ? TypedResults.Accepted((string?)null) : TypedResults.Conflict();

    sealed record Greeting(string Hello);
}
