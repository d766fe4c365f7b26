using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using System.Net.Sockets;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.RateLimiting;

namespace Commerce.Api;

/// <summary>How much one caller may ask for. Configuration section <c>Limits</c>.</summary>
sealed class LimitsOptions
{
    public const string Section = "Limits";

    /// <summary>Coupons, orders, preparations and tickets that one user may ask for in each second on each replica: 1 to 10,000.</summary>
    [Range(1, 10_000)]
    public int UserPerSecond { get; set; } = 10;

    /// <summary>
    /// Approvals, refunds and cancellations that one user may ask for in each second on each replica: 1 to 10,000. More than of the others: who presses
    /// again and again is told what became of the first.
    /// </summary>
    [Range(1, 10_000)]
    public int UserPaymentsPerSecond { get; set; } = 50;

    /// <summary>What one user may read in each second on each replica: 1 to 10,000.</summary>
    [Range(1, 10_000)]
    public int UserReadsPerSecond { get; set; } = 50;

    /// <summary>
    /// What may be read without a token from one address in each second on each replica: 1 to 100,000. Of IPv6 the first 64 bits count, which is what one
    /// subscriber has. Many subscribers of a mobile network share an address, and what they read is mostly answered from memory.
    /// </summary>
    [Range(1, 100_000)]
    public int AddressReadsPerSecond { get; set; } = 200;

    /// <summary>Requests to issue coupons under way on each replica; the next is refused rather than queued: 1 to 100,000.</summary>
    [Range(1, 100_000)]
    public int MaxConcurrentIssues { get; set; } = 4096;

    /// <summary>The largest request body in bytes: 1 KiB to 1 MiB.</summary>
    [Range(1024, 1024 * 1024)]
    public long RequestBytes { get; set; } = 32 * 1024;
}

/// <summary>
/// Counts the requests of each caller in windows of a second. The framework's limiter keeps an object for every user and walks over all of them
/// ten times a second, which a crowd of 100,000 makes the most expensive part of a request; here a window is a dictionary that is thrown away.
/// </summary>
sealed class RateLimiter(int permits, TimeProvider clock)
{
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    volatile Window _window = new(clock.GetTimestamp());

    /// <summary>False where the caller has had their requests of this window.</summary>
    public bool TryAcquire(string caller)
    {
        var window = _window;
        if (clock.GetElapsedTime(window.Start) >= Period)
        {
            // Whoever comes second uses the window of whoever came first.
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

/// <summary>Counts the requests under way: where Redis or Kafka answer slowly, more of them would only wait for each other.</summary>
sealed class ConcurrencyLimiter(int limit)
{
    public static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    int _underWay;

    /// <summary>False where there are enough; after true, <see cref="Leave"/> is called once.</summary>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _underWay) <= limit) return true;
        Leave();
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _underWay);
}

/// <summary>Bounds on what callers may ask for.</summary>
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
    /// Limits every read that an endpoint answers: per user, and without a token per address. Administrators are not counted, nor is what says so itself:
    /// health probes, and the live stream, which has limits of its own.
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

    /// <summary>Refuses what comes while too much is under way with 503 and Retry-After.</summary>
    public static RouteHandlerBuilder LimitConcurrency(this RouteHandlerBuilder route) => route.AddEndpointFilterFactory((factory, next) =>
    {
        var bound = factory.ApplicationServices.GetRequiredService<ConcurrencyLimiter>();
        return context => bound.TryEnter()
            ? LeaveAfter(next(context), bound)
            : new(CommonProblems.Overloaded.ToResult(retryAfter: ConcurrencyLimiter.RetryAfter));
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

    /// <summary>Refuses a user who asks too often with 429 and Retry-After.</summary>
    public static RouteHandlerBuilder LimitPerUser(this RouteHandlerBuilder route, Budget budget = Budget.Requests) => route.AddEndpointFilterFactory((factory, next) =>
    {
        var limiter = factory.ApplicationServices.GetRequiredKeyedService<RateLimiter>(budget);
        return context => limiter.TryAcquire(context.HttpContext.User.Identity!.Name!) ? next(context) : new(TooMany);
    });
}

/// <summary>What is counted together.</summary>
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
