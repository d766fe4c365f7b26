using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.Hosting;

/// <summary>The defaults of every service.</summary>
public static class ServiceDefaultsExtensions
{
    /// <summary>
    /// Adds secret files, telemetry, health checks, service discovery, resilient HTTP clients, problem details, graceful shutdown and
    /// <see cref="TimeProvider.System"/>. Call it first, so that later code sees the secrets.
    /// </summary>
    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        builder.AddSecretFiles();
        builder.Services.TryAddSingleton(TimeProvider.System);
        // The clients log six lines per successful call. Traces show the same.
        builder.Logging.AddFilter("System.Net.Http.HttpClient", LogLevel.Warning).AddFilter("Polly", LogLevel.Warning);
        builder.AddTelemetry();
        builder.AddHealth();
        builder.AddProblems();
        builder.AddResilientHttpClients();
        return builder;
    }

    /// <summary>
    /// Adds the middleware that every request passes first: tracing, error responses, authentication, authorization and body validation.
    /// Call it before other middleware, because errors of earlier middleware have no problem details.
    /// </summary>
    public static WebApplication UseServiceDefaults(this WebApplication app)
    {
        app.UseMiddleware<DrainMiddleware>();
        if (TelemetryExtensions.HasOtlpEndpoint(app.Configuration))
            app.UseMiddleware<UntracedMiddleware>();
        app.UseExceptionHandler();
        app.UseStatusCodePages(context => CommonProblems.ForStatus(context.HttpContext.Response.StatusCode).ToResult().ExecuteAsync(context.HttpContext));
        // Otherwise the framework adds both before the middleware above, and their refusals have no body.
        if (app.Services.GetService<IAuthenticationSchemeProvider>() is not null)
        {
            app.UseAuthentication();
            app.UseAuthorization();
        }

        app.UseMiddleware<JsonBodyMiddleware>();
        return app;
    }

    /// <summary>
    /// Maps <c>/health</c> (can the process receive work?), <c>/alive</c> (must it be restarted?) and <c>/health/dependencies</c> (which
    /// dependency is unavailable?). The last one is public in Development and for administrators otherwise. It is missing in services
    /// without authentication.
    /// </summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        app.MapHealth();
        return app;
    }
}
