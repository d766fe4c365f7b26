using System.Data.Common;
using Commerce.Core.Messaging;
using Confluent.Kafka;
using Dapper;
using StackExchange.Redis;

namespace Commerce.Workers.Database;

/// <summary>
/// <c>Commerce.Workers reset</c>: deletes all tables, all Redis data and the topics, then runs <c>migrate --seed</c>. It is for
/// developers and refuses to run outside Development. Stop Api and Workers first.
/// </summary>
static class ResetCommand
{
    public static async Task<int> RunAsync(string[] args)
    {
        var builder = Host.CreateApplicationBuilder(args);
        if (!builder.Environment.IsDevelopment())
        {
            await Console.Error.WriteLineAsync("reset: refused, because this is not Development");
            return 1;
        }
        builder.AddServiceDefaults();
        builder.AddCommerceConnections(commandTimeout: TimeSpan.FromSeconds(60));
        builder.AddTopicCreator();
        using var host = builder.Build();
        try
        {
            await using (var connection = await host.Services.GetRequiredService<DbDataSource>().OpenConnectionAsync())
            {
                var tables = await connection.QueryAsync<string>("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'");
                await connection.ExecuteAsync("SET FOREIGN_KEY_CHECKS = 0");
                foreach (var table in tables) await connection.ExecuteAsync($"DROP TABLE `{table}`");
                await connection.ExecuteAsync("SET FOREIGN_KEY_CHECKS = 1");
            }
            var redis = host.Services.GetRequiredService<IConnectionMultiplexer>();
            foreach (var server in redis.GetServers().Where(s => !s.IsReplica)) await server.FlushAllDatabasesAsync();
            await host.Services.GetRequiredService<TopicCreator>().DeleteAsync();
        }
        catch (Exception e) when (e is DbException or RedisException or KafkaException)
        {
            await Console.Error.WriteLineAsync($"reset: {e.Message}");
            return 1;
        }
        return await MigrateCommand.RunAsync(["migrate", "--seed"]);
    }
}
