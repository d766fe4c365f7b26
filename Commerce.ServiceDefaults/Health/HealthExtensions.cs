using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Commerce.ServiceDefaults;

/// <summary>Liveness, readiness and the graceful end.</summary>
static class HealthExtensions
{
    const string Live = "live";

    public static void AddHealth(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<ShutdownOptions>()
            .Configure(options => options.DrainDelay = builder.Environment.IsDevelopment() ? TimeSpan.Zero : TimeSpan.FromSeconds(2))
            .BindConfiguration(ShutdownOptions.Section)
            .ValidateDataAnnotations()
            .ValidateOnStart();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = ShutdownOptions.Timeout);
        builder.Services.AddSingleton<ShutdownDrain>();
        builder.Services.AddHostedService(services => services.GetRequiredService<ShutdownDrain>());
        builder.Services.AddHealthChecks()
            .AddCheck("self", () => HealthCheckResult.Healthy(), [Live])
            .AddCheck<ShutdownDrain>("running");
    }

    public static void MapHealth(this IEndpointRouteBuilder endpoints)
    {
        Map("/health", _ => true);
        Map("/alive", check => check.Tags.Contains(Live));

        void Map(string path, Func<HealthCheckRegistration, bool> predicate) => endpoints
            .MapHealthChecks(path, new HealthCheckOptions { Predicate = predicate, ResponseWriter = HealthReportJson.WriteAsync })
            .AllowAnonymous()
            .DisableRateLimiting()
            .DisableHttpMetrics()
            .WithoutTraces();
    }
}
