using System.ComponentModel.DataAnnotations;
using System.Threading.RateLimiting;
using Commerce.ServiceDefaults;

namespace Commerce.Api;

/// <summary>How much one caller may ask for. Configuration section <c>Limits</c>.</summary>
sealed class LimitsOptions
{
    public const string Section = "Limits";

    /// <summary>Requests of one user to issue coupons in each second on each replica: 1 to 10,000.</summary>
    [Range(1, 10_000)]
    public int IssuesPerSecond { get; set; } = 10;

    /// <summary>The largest request body in bytes: 1 KiB to 1 MiB.</summary>
    [Range(1024, 1024 * 1024)]
    public long RequestBytes { get; set; } = 32 * 1024;
}

/// <summary>Bounds on what callers may ask for.</summary>
static class Limits
{
    /// <summary>The policy of routes that issue coupons.</summary>
    public const string Issue = "issue";

    static readonly TimeSpan Window = TimeSpan.FromSeconds(1);

    public static WebApplicationBuilder AddLimits(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<LimitsOptions>().BindConfiguration(LimitsOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        var limits = builder.Configuration.GetSection(LimitsOptions.Section).Get<LimitsOptions>() ?? new();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = limits.RequestBytes);
        builder.Services.AddRateLimiter(limiter =>
        {
            limiter.OnRejected = (context, _) => new(CommonProblems.RateLimited.ToResult(retryAfter: Window).ExecuteAsync(context.HttpContext));
            limiter.AddPolicy(Issue, http => RateLimitPartition.GetFixedWindowLimiter(
                http.User.Identity?.Name ?? "",
                _ => new FixedWindowRateLimiterOptions { PermitLimit = limits.IssuesPerSecond, Window = Window }));
        });
        return builder;
    }
}
