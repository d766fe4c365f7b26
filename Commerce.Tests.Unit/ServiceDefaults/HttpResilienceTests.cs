using System.Net;
using System.Net.Http.Headers;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Polly.CircuitBreaker;
using Polly.Timeout;

namespace Commerce.Tests.Unit.ServiceDefaults;

public sealed class HttpResilienceTests
{
    static readonly Uri Shop = new("http://shop.test/");

    readonly RecordingClock _clock = new();

    [Theory, InlineData("GET"), InlineData("HEAD"), InlineData("OPTIONS")]
    public async Task A_get_is_repeated_with_growing_delays(string method)
    {
        var server = new Server(_clock, HttpStatusCode.InternalServerError, HttpStatusCode.BadGateway, HttpStatusCode.RequestTimeout, HttpStatusCode.OK);
        using var client = Client(server);

        using var answer = await SendAsync(client, new HttpMethod(method));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(4, server.Calls.Count);
        // The other waits are timeouts of attempts.
        var waits = _clock.Waits.Select(w => w.TotalMilliseconds).Where(ms => ms < 5_000).ToList();
        Assert.Equal(3, waits.Count);
        Assert.InRange(waits[0], 100, 200);
        Assert.InRange(waits[1], 200, 400);
        Assert.InRange(waits[2], 400, 800);
        Assert.All(server.Calls.Zip(server.Calls.Skip(1), (earlier, later) => (later - earlier).TotalMilliseconds).Zip(waits), w => Assert.True(w.First >= w.Second));
    }

    [Theory, InlineData("POST"), InlineData("PUT"), InlineData("PATCH"), InlineData("DELETE")]
    public async Task A_post_is_never_repeated(string method)
    {
        var server = new Server(_clock, HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK);
        using var client = Client(server);

        using var answer = await SendAsync(client, new HttpMethod(method));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Single(server.Calls);
    }

    [Fact]
    public async Task A_post_is_not_repeated_when_its_connection_breaks_or_hangs()
    {
        var broken = new Server(_clock, (_, _) => throw new HttpRequestException("reset"));
        var hanging = new Server(_clock, HangAsync);
        using var first = Client(broken);
        using var second = Client(hanging, ("TotalTimeout", "00:00:04"), ("AttemptTimeout", "00:00:01"));

        await Assert.ThrowsAsync<HttpRequestException>(() => SendAsync(first, HttpMethod.Post));
        await Assert.ThrowsAsync<TimeoutRejectedException>(() => SendAsync(second, HttpMethod.Post));

        Assert.Single(broken.Calls);
        Assert.Single(hanging.Calls);
    }

    [Theory, InlineData(HttpStatusCode.NotFound), InlineData(HttpStatusCode.Conflict), InlineData(HttpStatusCode.Found)]
    public async Task An_answer_that_will_not_change_is_not_asked_for_again(HttpStatusCode status)
    {
        var server = new Server(_clock, status);
        using var client = Client(server);

        using var answer = await SendAsync(client, HttpMethod.Get);

        Assert.Equal(status, answer.StatusCode);
        Assert.Single(server.Calls);
    }

    [Theory, InlineData(HttpStatusCode.TooManyRequests), InlineData(HttpStatusCode.ServiceUnavailable)]
    public async Task The_server_says_how_long_to_wait(HttpStatusCode status)
    {
        var server = new Server(_clock, (call, _) => Task.FromResult(call == 1 ? Busy(status, TimeSpan.FromSeconds(3)) : new HttpResponseMessage()));
        using var client = Client(server);

        using var answer = await SendAsync(client, HttpMethod.Get);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Contains(TimeSpan.FromSeconds(3), _clock.Waits);
        Assert.True(server.Calls[1] - server.Calls[0] >= TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task An_answer_that_asks_for_too_long_a_wait_is_final()
    {
        var server = new Server(_clock, (_, _) => Task.FromResult(Busy(HttpStatusCode.TooManyRequests, TimeSpan.FromMinutes(10))));
        using var client = Client(server);

        using var answer = await SendAsync(client, HttpMethod.Get);

        Assert.Equal(HttpStatusCode.TooManyRequests, answer.StatusCode);
        Assert.Single(server.Calls);
    }

    [Fact]
    public async Task A_try_that_hangs_gives_way_to_the_next()
    {
        var server = new Server(_clock, (call, token) => call == 1 ? HangAsync(call, token) : Task.FromResult(new HttpResponseMessage()));
        using var client = Client(server, ("AttemptTimeout", "00:00:02"));

        using var answer = await SendAsync(client, HttpMethod.Get);

        Assert.Equal(2, server.Calls.Count);
        Assert.Equal(2, _clock.Waits.Count(w => w == TimeSpan.FromSeconds(2)));
        Assert.True(server.Calls[1] - server.Calls[0] >= TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task All_tries_together_are_bounded()
    {
        var start = _clock.GetUtcNow();
        var server = new Server(_clock, HangAsync);
        using var client = Client(server, ("TotalTimeout", "00:00:05"), ("AttemptTimeout", "00:00:02"));

        await Assert.ThrowsAsync<TimeoutRejectedException>(() => SendAsync(client, HttpMethod.Get));

        Assert.Equal(1, _clock.Waits.Count(w => w == TimeSpan.FromSeconds(5)));
        Assert.True(_clock.GetUtcNow() - start >= TimeSpan.FromSeconds(5));
        // Four attempts were allowed, but there was no time for the last one.
        Assert.InRange(server.Calls.Count, 1, 3);
    }

    [Fact]
    public async Task A_failing_host_is_left_alone_for_a_while_and_then_tried_again()
    {
        var server = new Server(_clock, HttpStatusCode.InternalServerError);
        using var client = Client(server, ("BreakerMinimumThroughput", "5"));
        for (var i = 0; i < 5; i++)
            (await SendAsync(client, HttpMethod.Post)).Dispose();

        await Assert.ThrowsAsync<BrokenCircuitException>(() => SendAsync(client, HttpMethod.Post));
        await Assert.ThrowsAsync<BrokenCircuitException>(() => SendAsync(client, HttpMethod.Get));
        Assert.Equal(5, server.Calls.Count);

        using var elsewhere = await _clock.RunAsync(client.PostAsync(new Uri("http://other.test/"), null, TestContext.Current.CancellationToken));
        Assert.Equal(6, server.Calls.Count);

        _clock.Advance(TimeSpan.FromSeconds(5.1));
        using var again = await SendAsync(client, HttpMethod.Post);
        Assert.Equal(7, server.Calls.Count);
    }

    [Theory]
    [InlineData("TotalTimeout", "00:20:00")]
    [InlineData("AttemptTimeout", "00:01:00")]
    [InlineData("Attempts", "0")]
    [InlineData("BreakerFailureRatio", "2")]
    public async Task A_setting_out_of_its_range_stops_the_start(string name, string value)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { [$"HttpResilience:{name}"] = value });
        builder.Logging.ClearProviders();
        using var host = builder.AddServiceDefaults().Build();

        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(TestContext.Current.CancellationToken));
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_try_goes_to_the_address_behind_the_name()
    {
        var server = new Server(_clock, HttpStatusCode.BadGateway, HttpStatusCode.OK);
        using var client = Build(server, new() { ["services:shop:http:0"] = "http://127.0.0.1:4711" });

        using var answer = await _clock.RunAsync(client.GetAsync(new Uri("http://shop/products"), TestContext.Current.CancellationToken));

        Assert.Equal(["http://127.0.0.1:4711/products", "http://127.0.0.1:4711/products"], server.UrlValidation);
    }

    HttpClient Client(Server server, params (string Name, string Value)[] settings) =>
        Build(server, settings.ToDictionary(s => $"{HttpResilienceOptions.Section}:{s.Name}", s => (string?)s.Value));

    HttpClient Build(Server server, Dictionary<string, string?> settings)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<TimeProvider>(_clock);
        builder.AddServiceDefaults();
        builder.Services.AddHttpClient("any").ConfigurePrimaryHttpMessageHandler(() => server);
        return builder.Build().Services.GetRequiredService<IHttpClientFactory>().CreateClient("any");
    }

    Task<HttpResponseMessage> SendAsync(HttpClient client, HttpMethod method) =>
        _clock.RunAsync(client.SendAsync(new HttpRequestMessage(method, Shop), TestContext.Current.CancellationToken));

    static async Task<HttpResponseMessage> HangAsync(int call, CancellationToken token)
    {
        await Task.Delay(Timeout.Infinite, token);
        return new HttpResponseMessage();
    }

    static HttpResponseMessage Busy(HttpStatusCode status, TimeSpan wait) =>
        new(status) { Headers = { RetryAfter = new RetryConditionHeaderValue(wait) } };

    /// <summary>Returns the given responses, repeating the last one, and records the time and address of each call.</summary>
    sealed class Server(TimeProvider time, Func<int, CancellationToken, Task<HttpResponseMessage>> answer) : HttpMessageHandler
    {
        public Server(TimeProvider time, params HttpStatusCode[] statuses)
            : this(time, (call, _) => Task.FromResult(new HttpResponseMessage(statuses[Math.Min(call, statuses.Length) - 1])))
        {
        }

        public List<DateTimeOffset> Calls { get; } = [];

        public List<string> UrlValidation { get; } = [];

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Calls.Add(time.GetUtcNow());
            UrlValidation.Add(request.RequestUri!.AbsoluteUri);
            return answer(Calls.Count, cancellationToken);
        }
    }
}
