using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;
using Polly.Timeout;

namespace Commerce.ServiceDefaults;

/// <summary>
/// The pipelines by host. They outlive the message handlers, which the client factory replaces every few minutes: a circuit must not
/// close because of that.
/// </summary>
sealed partial class HttpResiliencePipelines(
    IOptions<HttpResilienceOptions> options, TimeProvider time, ILogger<HttpResiliencePipelines> logger)
{
    readonly ConcurrentDictionary<(string Scheme, string Authority), Lazy<Pair>> _pairs = new();

    /// <summary>The pipeline for a request. Only GET, HEAD and OPTIONS without a body get one that repeats.</summary>
    public ResiliencePipeline<HttpResponseMessage> For(HttpRequestMessage request)
    {
        if (request.RequestUri is not { IsAbsoluteUri: true } uri)
            return ResiliencePipeline<HttpResponseMessage>.Empty;
        var pair = _pairs.GetOrAdd((uri.Scheme, uri.Authority), key => new Lazy<Pair>(() => Create(key.Authority))).Value;
        return request.Content is null && IsRepeatable(request.Method) ? pair.Repeating : pair.Once;
    }

    static bool IsRepeatable(HttpMethod method) => method == HttpMethod.Get || method == HttpMethod.Head || method == HttpMethod.Options;

    Pair Create(string host)
    {
        var settings = options.Value;
        var breaker = Builder().AddCircuitBreaker(new CircuitBreakerStrategyOptions<HttpResponseMessage>
        {
            FailureRatio = settings.BreakerFailureRatio,
            MinimumThroughput = settings.BreakerMinimumThroughput,
            SamplingDuration = settings.BreakerSampling,
            BreakDuration = settings.BreakDuration,
            ShouldHandle = arguments => ValueTask.FromResult(IsFailure(arguments.Outcome)),
            OnOpened = _ =>
            {
                LogOpened(host);
                return ValueTask.CompletedTask;
            },
        }).Build();
        var repeating = Builder().AddTimeout(settings.TotalTimeout);
        if (settings.Attempts > 1)
            repeating.AddRetry(Retry(host));
        return new Pair(
            Repeating: repeating.AddPipeline(breaker).AddTimeout(settings.AttemptTimeout).Build(),
            Once: Builder().AddPipeline(breaker).AddTimeout(settings.TotalTimeout).Build());
    }

    RetryStrategyOptions<HttpResponseMessage> Retry(string host)
    {
        var settings = options.Value;
        var policy = new RetryPolicy { Attempts = settings.Attempts, BaseDelay = settings.BaseDelay, MaxDelay = settings.MaxDelay };
        return new RetryStrategyOptions<HttpResponseMessage>
        {
            MaxRetryAttempts = settings.Attempts - 1,
            ShouldHandle = arguments => ValueTask.FromResult(
                (IsFailure(arguments.Outcome) || arguments.Outcome.Result?.StatusCode is HttpStatusCode.TooManyRequests)
                && !(RetryAfter(arguments.Outcome.Result) > settings.MaxDelay)),
            DelayGenerator = arguments => ValueTask.FromResult<TimeSpan?>(
                RetryAfter(arguments.Outcome.Result) ?? policy.Delay(arguments.AttemptNumber + 1)),
            OnRetry = arguments =>
            {
                LogRetry(
                    host, arguments.AttemptNumber + 1, arguments.RetryDelay, arguments.Outcome.Result?.StatusCode, arguments.Outcome.Exception?.Message);
                return ValueTask.CompletedTask;
            },
        };
    }

    ResiliencePipelineBuilder<HttpResponseMessage> Builder() => new() { TimeProvider = time };

    /// <summary>Whether the host is at fault, rather than the request.</summary>
    static bool IsFailure(Outcome<HttpResponseMessage> outcome) =>
        outcome.Exception is HttpRequestException or TimeoutRejectedException
        || outcome.Result?.StatusCode is HttpStatusCode.RequestTimeout or >= HttpStatusCode.InternalServerError;

    TimeSpan? RetryAfter(HttpResponseMessage? response)
    {
        var header = response?.Headers.RetryAfter;
        var wait = header?.Delta ?? header?.Date - time.GetUtcNow();
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Calls to {Host} are given up for a while: too many failed")]
    partial void LogOpened(string host);

    [LoggerMessage(Level = LogLevel.Information, Message = "Try {Attempt} at {Host} failed ({Status}{Error}), the next is in {Delay}")]
    partial void LogRetry(string host, int attempt, TimeSpan delay, HttpStatusCode? status, string? error);

    sealed record Pair(ResiliencePipeline<HttpResponseMessage> Repeating, ResiliencePipeline<HttpResponseMessage> Once);
}
