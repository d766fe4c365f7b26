using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Commerce.Tests.Unit.ServiceDefaults;

public sealed partial class TelemetryTests
{
    // Listeners of a process also receive the spans of other tests. Unique names identify those of this test.
    readonly string _id = Guid.NewGuid().ToString("N");

    [Fact]
    public async Task Traces_metrics_and_logs_arrive_when_the_service_has_stopped()
    {
        await using var collector = await CollectAsync();
        await using (var api = await StartAsync(collector))
        {
            await api.SendAsync(HttpMethod.Get, $"/things-{_id}/7");
            await api.SendAsync(HttpMethod.Get, $"/broken-{_id}");
            await api.App.StopAsync(TestContext.Current.CancellationToken);
        }

        Assert.Contains($"GET /things-{_id}/{{number}}", collector.Received("/v1/traces"), StringComparison.Ordinal);
        Assert.Contains($"GET /broken-{_id}", collector.Received("/v1/traces"), StringComparison.Ordinal);
        Assert.Contains($"inner-{_id}", collector.Received("/v1/traces"), StringComparison.Ordinal);
        Assert.Contains($"boom-{_id}", collector.Received("/v1/traces"), StringComparison.Ordinal);
        Assert.Contains($"service-{_id}", collector.Received("/v1/traces"), StringComparison.Ordinal);
        Assert.Contains($"replica-{_id}", collector.Received("/v1/traces"), StringComparison.Ordinal);
        Assert.Contains("http.server.request.duration", collector.Received("/v1/metrics"), StringComparison.Ordinal);
        Assert.Contains($"commerce.test.{_id}", collector.Received("/v1/metrics"), StringComparison.Ordinal);
        Assert.Contains($"said-{_id}", collector.Received("/v1/logs"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_kept_out_of_the_traces_keeps_its_children_out()
    {
        await using var collector = await CollectAsync();
        await using (var api = await StartAsync(collector))
        {
            Assert.False((await api.SendAsync(HttpMethod.Get, $"/quiet-{_id}")).Body.GetBoolean());
            await api.SendAsync(HttpMethod.Get, $"/things-{_id}/7");
            await api.App.StopAsync(TestContext.Current.CancellationToken);
        }

        Assert.Contains($"/things-{_id}", collector.Received("/v1/traces"), StringComparison.Ordinal);
        Assert.DoesNotContain($"hidden-{_id}", collector.Received("/v1/traces"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_collector_no_exporter_is_made()
    {
        await using var api = await TestApi.StartAsync();

        Assert.Null(api.App.Services.GetService<TracerProvider>());
        Assert.Null(api.App.Services.GetService<MeterProvider>());
    }

    [Fact]
    public void A_statement_has_a_span_only_in_a_trace_to_which_someone_listens()
    {
        Activity? seen = null;
        using var trace = new Activity("request").Start();
        Assert.Null(SqlSpan.Start("SELECT 1"));
        using var listener = new ActivityListener
        {
            ShouldListenTo = s => s.Name == CommerceTelemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = span => seen = span,
        };
        ActivitySource.AddActivityListener(listener);

        SqlSpan.Start("UPDATE orders SET status = @status")!.Dispose();

        Assert.Equal("UPDATE orders", seen!.DisplayName);
        Assert.Equal(trace.TraceId, seen.TraceId);
        Activity.Current = null;
        Assert.Null(SqlSpan.Start("SELECT 1"));
        Assert.Equal("UPDATE orders SET status = @status", seen.GetTagItem("db.query.text"));
    }

    [Theory]
    [InlineData("SELECT id, name FROM orders WHERE id = @id", "SELECT orders")]
    [InlineData("select count(*)\n  from `coupon_issue`\n where x = 1", "SELECT coupon_issue")]
    [InlineData("insert into outbox(id) values (1)", "INSERT outbox")]
    [InlineData("INSERT IGNORE INTO inbox (a) VALUES (1)", "INSERT inbox")]
    [InlineData("update product set stock = stock - 1", "UPDATE product")]
    [InlineData("DELETE FROM idempotency LIMIT 10", "DELETE idempotency")]
    [InlineData("SELECT `p`.`id` FROM (\n SELECT * FROM product\n) AS `p`", "SELECT product")]
    [InlineData("SELECT 1", "SELECT")]
    [InlineData("commit", "COMMIT")]
    [InlineData("  ", "")]
    public void A_statement_is_named_by_its_verb_and_table(string statement, string name) =>
        Assert.Equal(name, SqlSpan.Summary(statement));

    Task<TestApi> StartAsync(Collector collector) => TestApi.StartAsync(
        app =>
        {
            app.MapGet($"/things-{_id}/{{number}}", (int number, ILogger<TelemetryTests> log) =>
            {
                using var inner = CommerceTelemetry.Source.StartActivity($"inner-{_id}");
                CommerceTelemetry.Meter.CreateCounter<int>($"commerce.test.{_id}").Add(number);
                LogSaid(log, _id);
                return number;
            });
            app.MapGet($"/broken-{_id}", string () => throw new InvalidOperationException($"boom-{_id}"));
            app.MapGet($"/quiet-{_id}", () =>
            {
                using var hidden = CommerceTelemetry.Source.StartActivity($"hidden-{_id}");
                return Activity.Current?.Recorded;
            }).WithoutTraces();
        },
        settings: new()
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Url,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_SERVICE_NAME"] = $"service-{_id}",
            ["OTEL_RESOURCE_ATTRIBUTES"] = $"service.instance.id=replica-{_id}",
        });

    static async Task<Collector> CollectAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        var bodies = new ConcurrentQueue<(string, byte[])>();
        app.MapPost("/v1/{signal}", async (HttpRequest request, CancellationToken token) =>
        {
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body, token);
            bodies.Enqueue((request.Path, body.ToArray()));
        });
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new Collector(app, bodies);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "said-{Id}")]
    static partial void LogSaid(ILogger log, string id);

    /// <summary>Records what exporters send.</summary>
    sealed class Collector(WebApplication app, ConcurrentQueue<(string Path, byte[] Body)> bodies) : IAsyncDisposable
    {
        public string Url => app.Urls.Single();

        /// <summary>Everything received for a signal. Protobuf contains texts verbatim, so they can be searched.</summary>
        public string Received(string path) => string.Concat(bodies.Where(b => b.Path == path).Select(b => Encoding.UTF8.GetString(b.Body)));

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }
}
