using System.Data.Common;
using Commerce.Core.Catalog;
using Dapper;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Commerce.Api;

/// <summary>
/// Connects to all dependencies and compiles the hot paths before the server listens. A proxy uses a new replica as soon as it
/// accepts connections, and its first shoppers would otherwise wait for the compiler. Unavailable dependencies are skipped.
/// </summary>
sealed partial class WarmUp(
    DbDataSource source, IConnectionMultiplexer redis, ProductDefinitions products, CouponDefinitions coupons, IOptionsMonitor<JwtBearerOptions> bearer,
    TimeProvider clock, ILogger<WarmUp> logger) : IHostedService
{
    const int Connections = 4;

    static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Timeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var start = clock.GetTimestamp();
        await Task.WhenAll(
            TryAsync("MySQL", () => Task.WhenAll(Enumerable.Range(0, Connections).Select(_ => QueryAsync(either.Token)))),
            TryAsync("Redis", () => redis.GetDatabase().PingAsync()),
            TryAsync("the sign-in provider", () => bearer.Get(JwtBearerDefaults.AuthenticationScheme).ConfigurationManager?.GetConfigurationAsync(either.Token) ?? Task.CompletedTask));
        await TryAsync("the catalogue", async () =>
        {
            await products.ListOnSaleAsync(null, Paging.PageSize, either.Token);
            await coupons.ListPublicAsync(null, Paging.PageSize, either.Token);
        });
        var took = clock.GetElapsedTime(start).TotalSeconds;
        LogWarm(logger, took);

        async Task TryAsync(string what, Func<Task> connect)
        {
            try
            {
                await connect().WaitAsync(either.Token);
            }
            catch (Exception e) when (TransientFaults.IsTransient(e) || e is InvalidOperationException or OperationCanceledException or TimeoutException)
            {
                cancellationToken.ThrowIfCancellationRequested();
                LogAway(logger, what, e.Message);
            }
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    async Task QueryAsync(CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteScalarAsync<int>(new CommandDefinition("SELECT 1", cancellationToken: cancellationToken));
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Warm-up finished after {Seconds:F1} s")]
    static partial void LogWarm(ILogger logger, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Warm-up skipped {What}: {Reason}")]
    static partial void LogAway(ILogger logger, string what, string reason);
}
