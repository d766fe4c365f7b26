using System.Net;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Options;
using Polly;
using Polly.Timeout;

namespace Commerce.ServiceDefaults;

/// <summary>Resilience and service discovery for every client of IHttpClientFactory.</summary>
static class HttpResilienceExtensions
{
    public static void AddResilientHttpClients(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<HttpResilienceOptions>()
            .BindConfiguration(HttpResilienceOptions.Section)
            .ValidateDataAnnotations()
            .ValidateOnStart();
        builder.Services.AddServiceDiscovery();
        builder.Services.ConfigureHttpClientDefaults(http =>
        {
            // There is one circuit breaker per host. The handlers are in this order so that every attempt resolves the service again and
            // may reach another replica.
            http.AddResilienceHandler("commerce", Configure).SelectPipelineByAuthority();
            http.AddServiceDiscovery();
        });
    }

    static void Configure(ResiliencePipelineBuilder<HttpResponseMessage> pipeline, ResilienceHandlerContext context)
    {
        var settings = context.ServiceProvider.GetRequiredService<IOptions<HttpResilienceOptions>>().Value;
        var time = context.ServiceProvider.GetRequiredService<TimeProvider>();
        var delays = new RetryPolicy { Attempts = settings.Attempts, BaseDelay = settings.BaseDelay, MaxDelay = settings.MaxDelay };
        pipeline.TimeProvider = time;
        pipeline.AddTimeout(settings.TotalTimeout);
        if (settings.Attempts > 1)
            pipeline.AddRetry(new HttpRetryStrategyOptions
            {
                MaxRetryAttempts = settings.Attempts - 1,
                ShouldHandle = retry => ValueTask.FromResult(
                    IsRepeatable(retry.Context) && HttpClientResiliencePredicates.IsTransient(retry.Outcome)
                    && !(RetryAfter(retry.Outcome.Result, time) > settings.MaxDelay)),
                DelayGenerator = retry => ValueTask.FromResult<TimeSpan?>(
                    RetryAfter(retry.Outcome.Result, time) ?? delays.Delay(retry.AttemptNumber + 1)),
            });
        pipeline.AddCircuitBreaker(new HttpCircuitBreakerStrategyOptions
        {
            FailureRatio = settings.BreakerFailureRatio,
            MinimumThroughput = settings.BreakerMinimumThroughput,
            SamplingDuration = settings.BreakerSampling,
            BreakDuration = settings.BreakDuration,
            // Rate limiting is not a failure of the host.
            ShouldHandle = call => ValueTask.FromResult(
                HttpClientResiliencePredicates.IsTransient(call.Outcome) && call.Outcome.Result?.StatusCode is not HttpStatusCode.TooManyRequests),
        });
        // A request that is not repeated may use the whole timeout.
        pipeline.AddTimeout(new TimeoutStrategyOptions
        {
            TimeoutGenerator = attempt => ValueTask.FromResult(IsRepeatable(attempt.Context) ? settings.AttemptTimeout : settings.TotalTimeout),
        });
    }

    // Requests with a body are not repeated, because a stream may have been consumed.
    static bool IsRepeatable(ResilienceContext context) => context.GetRequestMessage() is { Content: null } request
        && (request.Method == HttpMethod.Get || request.Method == HttpMethod.Head || request.Method == HttpMethod.Options);

    static TimeSpan? RetryAfter(HttpResponseMessage? response, TimeProvider time)
    {
        var header = response?.Headers.RetryAfter;
        var wait = header?.Delta ?? header?.Date - time.GetUtcNow();
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait;
    }
}
