using Commerce.Core.Database;
using Commerce.Core.Messaging;
using Confluent.Kafka;

namespace Commerce.Workers.Database;

/// <summary>
/// <c>Commerce.Workers migrate [--seed]</c>: updates the schema, creates the topics and exits. Running it again changes nothing.
/// </summary>
static class MigrateCommand
{
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    public static async Task<int> RunAsync(string[] args)
    {
        var builder = Host.CreateApplicationBuilder(args);
        builder.AddServiceDefaults();
        builder.AddCommerceDatabase();
        builder.Services.AddSingleton<Migrator>();
        builder.AddTopicCreator();
        using var host = builder.Build();
        try
        {
            var migrator = host.Services.GetRequiredService<Migrator>();
            await migrator.MigrateAsync(Deadline, CancellationToken.None);
            if (args.Contains("--seed")) await migrator.SeedAsync(CancellationToken.None);
            await host.Services.GetRequiredService<TopicCreator>().CreateAsync();
            return 0;
        }
        catch (Exception e) when (e is MigrationException or TopicException or KafkaException)
        {
            await Console.Error.WriteLineAsync($"migrate: {e.Message}");
            return 1;
        }
    }
}
