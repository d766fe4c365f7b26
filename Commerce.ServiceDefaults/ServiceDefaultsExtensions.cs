using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.Hosting;

/// <summary>What every service of Commerce has in common.</summary>
public static class ServiceDefaultsExtensions
{
    /// <summary>
    /// Adds secrets from files, telemetry, health checks, service discovery, resilient HTTP clients, problem details, the graceful end and
    /// <see cref="TimeProvider.System"/>. Call it first: what comes after it sees the secrets.
    /// </summary>
    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        builder.AddSecretFiles();
        builder.Services.TryAddSingleton(TimeProvider.System);
        // Six lines for each call that went well, and the traces show it too.
        builder.Logging.AddFilter("System.Net.Http.HttpClient", LogLevel.Warning).AddFilter("Polly", LogLevel.Warning);
        builder.AddTelemetry();
        builder.AddHealth();
        builder.AddProblems();
        builder.AddResilientHttpClients();
        return builder;
    }

    /// <summary>
    /// Puts what every request passes first into the pipeline: its trace, the answer to errors, authentication and authorization, and the check
    /// of its body. Call it before any other middleware, because what comes before it answers errors without problem details.
    /// </summary>
    public static WebApplication UseServiceDefaults(this WebApplication app)
    {
        app.UseMiddleware<DrainMiddleware>();
        if (TelemetryExtensions.HasOtlpEndpoint(app.Configuration))
            app.UseMiddleware<UntracedMiddleware>();
        app.UseExceptionHandler();
        app.UseStatusCodePages(context => CommonProblems.ForStatus(context.HttpContext.Response.StatusCode).ToResult().ExecuteAsync(context.HttpContext));
        // Otherwise the framework puts both in front of the middleware above, and their refusals have no body.
        if (app.Services.GetService<IAuthenticationSchemeProvider>() is not null)
        {
            app.UseAuthentication();
            app.UseAuthorization();
        }

        app.UseMiddleware<JsonBodyMiddleware>();
        return app;
    }

    /// <summary>
    /// Maps <c>/health</c> (may this process be given work?), <c>/alive</c> (should it be left running?) and <c>/health/dependencies</c> (what does not
    /// answer?). The last is for everybody in Development, elsewhere for administrators, and not there where a service has no authentication.
    /// </summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        app.MapHealth();
        return app;
    }
}
