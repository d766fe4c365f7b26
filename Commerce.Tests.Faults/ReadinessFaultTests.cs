using System.Net;
using System.Text.Json;
using Commerce.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Commerce.Tests.Faults;

/// <summary>Tests which processes receive work during an outage.</summary>
public sealed class ReadinessFaultTests(CommerceStack stack) : StackTests(stack)
{
    [Fact]
    public async Task An_outage_of_Kafka_or_MySQL_takes_no_replica_out_of_rotation()
    {
        await Stack.BrokerAwayAsync();
        try
        {
            await Eventually.EqualAsync(("Degraded", "Healthy"), async () => (await StateAsync("kafka"), await StateAsync("redis")));
            Assert.Equal(HttpStatusCode.OK, await ReadyAsync());
        }
        finally
        {
            await Stack.BrokerBackAsync();
        }

        await Stack.FreezeAsync("mysql");
        try
        {
            await Eventually.EqualAsync("Degraded", () => StateAsync("mysql"));
            Assert.Equal(HttpStatusCode.OK, await ReadyAsync());
        }
        finally
        {
            await Stack.ThawAsync("mysql");
        }

        foreach (var dependency in new[] { "kafka", "mysql" }) await Eventually.EqualAsync("Healthy", () => StateAsync(dependency));
    }

    [Fact]
    public async Task Without_Redis_nothing_can_be_sold_and_the_replica_gets_no_work()
    {
        await Stack.FreezeAsync("redis");
        try
        {
            await Eventually.EqualAsync(HttpStatusCode.ServiceUnavailable, ReadyAsync);
            Assert.Equal("Degraded", await StateAsync("redis"));
            Assert.Equal(HttpStatusCode.OK, (await Stack.Impatient.GetAsync("/alive", Cancelled)).StatusCode);
        }
        finally
        {
            await Stack.ThawAsync("redis");
        }

        await Eventually.EqualAsync(HttpStatusCode.OK, ReadyAsync);
    }

    [Fact]
    public void No_check_but_ours_probes_the_dependencies()
    {
        var builder = Host.CreateApplicationBuilder();
        foreach (var name in new[] { "commerce", "redis", "kafka" }) builder.Configuration[$"ConnectionStrings:{name}"] = "127.0.0.1:1";
        builder.Configuration["ConnectionStrings:commerce"] = "Server=127.0.0.1;Port=1";
        builder.Configuration.AddInMemoryCollection(Sandbox.Configuration(new("http://127.0.0.1:1")));
        builder.AddServiceDefaults();
        builder.AddCommerceCore(commandTimeout: TimeSpan.FromSeconds(1));
        using var host = builder.Build();

        // Aspire's check of the producer writes a message to a topic at every probe.
        Assert.Equal(["kafka", "mysql", "redis", "running", "self", "started", "topics"],
            host.Services.GetRequiredService<IOptions<HealthCheckServiceOptions>>().Value.Registrations.Select(r => r.Name).Order());
    }

    async Task<HttpStatusCode> ReadyAsync()
    {
        using var answer = await Stack.Impatient.GetAsync("/health", Cancelled);
        return answer.StatusCode;
    }

    async Task<string?> StateAsync(string dependency)
    {
        var report = await Stack.Impatient.GetFromJsonAsync<JsonElement>("/health/dependencies", Cancelled);
        return report.GetProperty("checks").EnumerateArray().Single(c => c.GetProperty("name").GetString() == dependency).GetProperty("status").GetString();
    }
}
