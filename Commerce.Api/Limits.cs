using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using System.Net.Sockets;
using Microsoft.AspNetCore.RateLimiting;

namespace Commerce.Api;

/// <summary>The request limits per caller. Configuration section <c>Limits</c>.</summary>
sealed class LimitsOptions
{
    public const string Section = "Limits";

    /// <summary>Requests for coupons, orders, prepare and tickets per user, second and replica: 1 to 10,000.</summary>
    [Range(1, 10_000)]
    public int UserPerSecond { get; set; } = 10;

    /// <summary>
    /// Approvals, refunds and cancellations per user, second and replica: 1 to 10,000. The limit is higher than the others, so that
    /// repeated clicks get the result of the first.
    /// </summary>
    [Range(1, 10_000)]
    public int UserPaymentsPerSecond { get; set; } = 50;

    /// <summary>Reads per user, second and replica: 1 to 10,000.</summary>
    [Range(1, 10_000)]
    public int UserReadsPerSecond { get; set; } = 50;

    /// <summary>
    /// Anonymous reads per address, second and replica: 1 to 100,000. For IPv6 the first 64 bits count, because one subscriber has all
    /// addresses with them. Subscribers of a mobile network share addresses, and most of their reads are answered from memory.
    /// </summary>
    [Range(1, 100_000)]
    public int AddressReadsPerSecond { get; set; } = 200;

    /// <summary>Concurrent issue requests per replica: 1 to 100,000. Further requests are rejected, not queued.</summary>
    [Range(1, 100_000)]
    public int MaxConcurrentIssues { get; set; } = 4096;

    /// <summary>The maximum request body in bytes: 1 KiB to 1 MiB.</summary>
    [Range(1024, 1024 * 1024)]
    public long RequestBytes { get; set; } = 32 * 1024;
}

/// <summary>
/// Counts requests per caller in windows of one second. A window is a dictionary that is discarded as a whole. The framework's
/// limiter keeps an object per user and visits all of them ten times a second. With 100,000 users, this is the most expensive part of
/// a request.
/// </summary>
sealed class RateLimiter(int permits, TimeProvider clock)
{
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    volatile Window _window = new(clock.GetTimestamp());

    /// <summary>Counts a request. Returns false if the caller has used up this window.</summary>
    public bool TryAcquire(string caller)
    {
        var window = _window;
        if (clock.GetElapsedTime(window.Start) >= Period)
        {
            // If two callers create a window at once, both use the first one.
            var next = new Window(clock.GetTimestamp());
            var seen = Interlocked.CompareExchange(ref _window, next, window);
            window = seen == window ? next : seen;
        }

        return window.Counts.AddOrUpdate(caller, 1, static (_, count) => count + 1) <= permits;
    }

    sealed class Window(long start)
    {
        public long Start => start;

        public ConcurrentDictionary<string, int> Counts { get; } = new(StringComparer.Ordinal);
    }
}

/// <summary>Limits concurrent requests. While Redis or Kafka responds slowly, more requests would only wait for each other.</summary>
sealed class ConcurrencyLimiter(int limit)
{
    int _underWay;

    /// <summary>Returns false if the limit is reached. After true, <see cref="Leave"/> must be called once.</summary>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _underWay) <= limit) return true;
        Leave();
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _underWay);
}

/// <summary>The limits for callers.</summary>
static class Limits
{
    static readonly ProblemResult TooMany = CommonProblems.RateLimited.ToResult(retryAfter: RateLimiter.Period);

    public static WebApplicationBuilder AddLimits(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<LimitsOptions>().BindConfiguration(LimitsOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        var limits = builder.Configuration.GetSection(LimitsOptions.Section).Get<LimitsOptions>() ?? new();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = limits.RequestBytes);
        Add(Budget.Requests, limits.UserPerSecond);
        Add(Budget.Payments, limits.UserPaymentsPerSecond);
        Add(Budget.Reads, limits.UserReadsPerSecond);
        Add(Budget.AnonymousReads, limits.AddressReadsPerSecond);
        builder.Services.AddSingleton(new ConcurrencyLimiter(limits.MaxConcurrentIssues));
        return builder;

        void Add(Budget budget, int permits) =>
            builder.Services.AddKeyedSingleton(budget, (services, _) => new RateLimiter(permits, services.GetRequiredService<TimeProvider>()));
    }

    /// <summary>
    /// Limits all reads, per user or per address if there is no token. Administrators are exempt. Endpoints that disable rate limiting
    /// are exempt too: the health probes, and the live stream, which has its own limits.
    /// </summary>
    public static void UseReadLimits(this WebApplication app)
    {
        var users = app.Services.GetRequiredKeyedService<RateLimiter>(Budget.Reads);
        var addresses = app.Services.GetRequiredKeyedService<RateLimiter>(Budget.AnonymousReads);
        app.Use((context, next) =>
        {
            var method = context.Request.Method;
            if ((!HttpMethods.IsGet(method) && !HttpMethods.IsHead(method)) || context.GetEndpoint() is not { } endpoint
                || endpoint.Metadata.GetMetadata<DisableRateLimitingAttribute>() is not null || context.User.IsInRole(Roles.Admin)) return next(context);
            var allowed = context.User.Identity is { IsAuthenticated: true, Name: { } user } ? users.TryAcquire(user) : addresses.TryAcquire(AddressOf(context));
            return allowed ? next(context) : TooMany.ExecuteAsync(context);
        });
    }

    static string AddressOf(HttpContext context)
    {
        if (context.Connection.RemoteIpAddress is not { } address) return "";
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        if (address.AddressFamily != AddressFamily.InterNetworkV6) return address.ToString();
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        return Convert.ToHexString(bytes[..8]);
    }

    /// <summary>Rejects requests beyond the concurrency limit with 503 and Retry-After.</summary>
    public static RouteHandlerBuilder LimitConcurrency(this RouteHandlerBuilder route) => route.AddEndpointFilterFactory((factory, next) =>
    {
        var bound = factory.ApplicationServices.GetRequiredService<ConcurrencyLimiter>();
        return context => bound.TryEnter()
            ? LeaveAfter(next(context), bound)
            : new(CommonProblems.Overloaded.ToResult());
    });

    static async ValueTask<object?> LeaveAfter(ValueTask<object?> work, ConcurrencyLimiter bound)
    {
        try
        {
            return await work;
        }
        finally
        {
            bound.Leave();
        }
    }

    /// <summary>Rejects requests beyond the user's limit with 429 and Retry-After.</summary>
    public static RouteHandlerBuilder LimitPerUser(this RouteHandlerBuilder route, Budget budget = Budget.Requests) => route.AddEndpointFilterFactory((factory, next) =>
    {
        var limiter = factory.ApplicationServices.GetRequiredKeyedService<RateLimiter>(budget);
        return context => limiter.TryAcquire(context.HttpContext.User.Identity!.Name!) ? next(context) : new(TooMany);
    });
}

/// <summary>Requests that share a limit.</summary>
enum Budget
{
    /// <summary><see cref="LimitsOptions.UserPerSecond"/>.</summary>
    Requests,
    /// <summary><see cref="LimitsOptions.UserPaymentsPerSecond"/>.</summary>
    Payments,
    /// <summary><see cref="LimitsOptions.UserReadsPerSecond"/>.</summary>
    Reads,
    /// <summary><see cref="LimitsOptions.AddressReadsPerSecond"/>.</summary>
    AnonymousReads,
}
