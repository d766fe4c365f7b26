using System.Text;
using Commerce.ServiceDefaults;
using Confluent.Kafka;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Polly.CircuitBreaker;

namespace Commerce.Tests.Unit.ServiceDefaults;

public sealed class ProblemTests
{
    static readonly ProblemType SoldOut = new(409, "coupon-sold-out", "The coupon is sold out.");
    static readonly ProblemType GateClosed = new(503, "gate-closed", "The gate is closed for a moment.");

    [Fact]
    public async Task A_refusal_is_the_same_bytes_every_time()
    {
        await using var api = await TestApi.StartAsync(app => app.MapGet("/", () => SoldOut.ToResult()));

        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(
                """{"type":"urn:commerce:coupon-sold-out","title":"The coupon is sold out.","status":409}""",
                await (await api.Client.GetAsync("/", TestContext.Current.CancellationToken)).Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        }
        Assert.Same(SoldOut.ToResult(), SoldOut.ToResult());
    }

    [Fact]
    public async Task A_refusal_costs_no_memory()
    {
        var context = new DefaultHttpContext { Response = { Body = Stream.Null } };
        await SoldOut.ToResult().ExecuteAsync(context);
        // The same header values are set again, so only allocations of the result itself remain.
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            await SoldOut.ToResult().ExecuteAsync(context);
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / 1000, 0, 64);
    }

    [Fact]
    public async Task A_refusal_carries_its_detail_its_errors_and_when_to_come_back()
    {
        await using var api = await TestApi.StartAsync(app =>
        {
            app.MapGet("/result", () => GateClosed.ToResult("쿠폰 42", TimeSpan.FromMilliseconds(1200)));
            app.MapGet("/thrown", IResult () => throw new ProblemException(GateClosed, "쿠폰 42", TimeSpan.FromMilliseconds(1200)));
            app.MapGet("/errors", () => CommonProblems.Validation.ToResult(errors: new Dictionary<string, string[]> { ["items[0].quantity"] = ["1 to 100"] }));
        });

        foreach (var path in new[] { "/result", "/thrown" })
        {
            var body = await api.ExpectProblemAsync(503, "gate-closed", HttpMethod.Get, path);
            Assert.Equal("쿠폰 42", body.GetProperty("detail").GetString());
            var (_, _, headers) = await api.SendAsync(HttpMethod.Get, path);
            Assert.Equal(TimeSpan.FromSeconds(2), headers.RetryAfter?.Delta);
        }
        var errors = (await api.ExpectProblemAsync(400, "validation", HttpMethod.Get, "/errors")).GetProperty("errors");
        Assert.Equal("1 to 100", errors.GetProperty("items[0].quantity")[0].GetString());
        Assert.DoesNotContain(api.Logs.AtLeast(LogLevel.Warning), _ => true);
    }

    [Theory, InlineData("Production"), InlineData("Staging")]
    public async Task An_unknown_error_answers_500_without_its_message(string environment)
    {
        await using var api = await TestApi.StartAsync(
            app => app.MapGet("/", string () => throw new InvalidOperationException("password=hunter2")), environment: environment);

        var body = await api.ExpectProblemAsync(500, "internal-error", HttpMethod.Get, "/");

        Assert.DoesNotContain("hunter2", body.GetRawText(), StringComparison.Ordinal);
        Assert.Equal("password=hunter2", Assert.Single(api.Logs.AtLeast(LogLevel.Warning)).Exception?.Message);
    }

    [Fact]
    public async Task An_unknown_error_shows_itself_in_development()
    {
        await using var api = await TestApi.StartAsync(
            app => app.MapGet("/", string () => throw new InvalidOperationException("seen")), environment: "Development");

        var body = await api.ExpectProblemAsync(500, "internal-error", HttpMethod.Get, "/");

        Assert.Contains("seen", body.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    public static TheoryData<Exception> Faults =>
    [
        new TimeoutException(),
        new BrokenCircuitException(),
        new HttpRequestException("refused"),
        new KafkaException(new Error(ErrorCode.Local_AllBrokersDown, "All brokers are down.")),
        new InvalidOperationException("wrapped", new TimeoutException()),
    ];

    [Theory, MemberData(nameof(Faults), DisableDiscoveryEnumeration = true)]
    public async Task A_fault_of_a_dependency_answers_503_and_when_to_come_back(Exception fault)
    {
        await using var api = await TestApi.StartAsync(app => app.MapGet("/", string () => throw fault));

        await api.ExpectProblemAsync(503, "dependency-unavailable", HttpMethod.Get, "/");

        var (_, _, headers) = await api.SendAsync(HttpMethod.Get, "/");
        Assert.Equal(TimeSpan.FromSeconds(2), headers.RetryAfter?.Delta);
        Assert.All(api.Logs.AtLeast(LogLevel.Warning), entry => Assert.Equal(LogLevel.Warning, entry.Level));
    }

    [Theory, InlineData("Production"), InlineData("Development")]
    public async Task A_body_that_cannot_be_read_answers_400_and_names_the_field(string environment)
    {
        await using var api = await TestApi.StartAsync(app => app.MapPost("/", (Item item) => item.Quantity), environment: environment);

        var wrong = await api.ExpectProblemAsync(400, "validation", HttpMethod.Post, "/", Json("""{"quantity":"many"}"""));
        await api.ExpectProblemAsync(400, "validation", HttpMethod.Post, "/", Json("{"));
        await api.ExpectProblemAsync(400, "validation", HttpMethod.Post, "/");
        await api.ExpectProblemAsync(415, "unsupported-media-type", HttpMethod.Post, "/", new StringContent("x"));

        Assert.True(wrong.GetProperty("errors").TryGetProperty("quantity", out _), wrong.GetRawText());
        Assert.DoesNotContain("System.", wrong.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_that_is_too_large_answers_413()
    {
        await using var api = await TestApi.StartAsync(
            app => app.MapPost("/", (Item item) => item.Quantity),
            builder => builder.Services.Configure<KestrelServerOptions>(server => server.Limits.MaxRequestBodySize = 100));

        await api.ExpectProblemAsync(413, "payload-too-large", HttpMethod.Post, "/", Json(new string(' ', 200)));
    }

    [Fact]
    public async Task What_the_framework_refuses_has_a_name()
    {
        await using var api = await TestApi.StartAsync(app =>
        {
            app.MapGet("/", () => "");
            app.MapGet("/busy", () => Results.StatusCode(429));
            app.MapGet("/things/{id:long}", (long id) => id);
            app.MapGet("/invalid", () => Results.ValidationProblem(new Dictionary<string, string[]> { ["name"] = ["needed"] }));
        });

        await api.ExpectProblemAsync(404, "not-found", HttpMethod.Get, "/nothing");
        await api.ExpectProblemAsync(405, "method-not-allowed", HttpMethod.Delete, "/");
        await api.ExpectProblemAsync(429, "rate-limited", HttpMethod.Get, "/busy");
        await api.ExpectProblemAsync(404, "not-found", HttpMethod.Get, "/things/x");
        var invalid = await api.ExpectProblemAsync(400, "validation", HttpMethod.Get, "/invalid");
        Assert.Equal("needed", invalid.GetProperty("errors").GetProperty("name")[0].GetString());
    }

    [Fact]
    public async Task A_caller_who_leaves_makes_no_noise()
    {
        var started = new TaskCompletionSource();
        var cancelled = new TaskCompletionSource();
        await using var api = await TestApi.StartAsync(app => app.MapGet("/", async (CancellationToken gone) =>
        {
            gone.Register(() => cancelled.SetResult());
            started.SetResult();
            await Task.Delay(Timeout.Infinite, gone);
        }));

        using var patience = new CancellationTokenSource();
        var answer = api.Client.GetAsync("/", patience.Token);
        await started.Task;
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => answer);
        await cancelled.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        await api.App.StopAsync(TestContext.Current.CancellationToken);

        Assert.DoesNotContain(api.Logs.AtLeast(LogLevel.Warning), _ => true);
    }

    static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    sealed record Item(int Quantity);
}
