using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Commerce.ServiceDefaults;

/// <summary>Liveness, readiness, dependency health and graceful shutdown.</summary>
static class HealthExtensions
{
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
            .AddCheck("self", () => HealthCheckResult.Healthy(), [HealthTags.Live, HealthTags.Ready])
            .AddCheck<StartedCheck>("started", tags: [HealthTags.Ready])
            .AddCheck<ShutdownDrain>("running", tags: [HealthTags.Ready]);
    }

    public static void MapHealth(this IEndpointRouteBuilder endpoints)
    {
        Map("/health", HealthTags.Ready).AllowAnonymous();
        Map("/alive", HealthTags.Live).AllowAnonymous();

        // Names and states of dependencies are not public.
        var services = endpoints.ServiceProvider;
        if (services.GetRequiredService<IHostEnvironment>().IsDevelopment()) Map("/health/dependencies", HealthTags.Dependency).AllowAnonymous();
        else if (services.GetService<IAuthenticationSchemeProvider>() is not null) Map("/health/dependencies", HealthTags.Dependency).RequireAuthorization(Policies.Admin);

        IEndpointConventionBuilder Map(string path, string tag) => endpoints
            .MapHealthChecks(path, new HealthCheckOptions { Predicate = check => check.Tags.Contains(tag), ResponseWriter = HealthBody.WriteAsync })
            .DisableRateLimiting()
            .DisableHttpMetrics()
            .WithoutTraces();
    }
}
