using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Commerce.ServiceDefaults;

/// <summary>OpenTelemetry over OTLP, set up by hand: the hosting and instrumentation packages are not on every feed.</summary>
public static class TelemetryExtensions
{
    // Not those of the MySQL clients: see SqlSpan.
    static readonly string[] Sources = [CommerceTelemetry.Name, "Microsoft.AspNetCore", "System.Net.Http"];

    static readonly string[] Meters =
    [
        CommerceTelemetry.Name, "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "Microsoft.AspNetCore.RateLimiting",
        "System.Net.Http", "System.Runtime", "MySqlConnector",
    ];

    /// <summary>Keeps the requests to these endpoints out of the traces, with everything that they cause.</summary>
    public static TBuilder WithoutTraces<TBuilder>(this TBuilder endpoints) where TBuilder : IEndpointConventionBuilder =>
        endpoints.WithMetadata(UntracedMetadata.Instance);

    internal static bool HasOtlpEndpoint(IConfiguration configuration) =>
        !string.IsNullOrEmpty(configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]);

    /// <summary>Does nothing where no OTLP endpoint is configured: then nobody listens, and no span is made.</summary>
    internal static void AddTelemetry(this IHostApplicationBuilder builder)
    {
        if (!HasOtlpEndpoint(builder.Configuration))
            return;
        // Asks ASP.NET Core to describe its request span itself: method, path, address, user agent.
        AppContext.SetSwitch("Microsoft.AspNetCore.Hosting.SuppressActivityOpenTelemetryData", false);

        builder.Logging.AddOpenTelemetry(logs =>
        {
            logs.IncludeFormattedMessage = true;
            logs.IncludeScopes = true;
            var resource = ResourceBuilder.CreateDefault();
            Describe(resource);
            logs.SetResourceBuilder(resource).AddOtlpExporter();
        });
        builder.Services.AddSingleton(_ => OpenTelemetrySdk.Create(sdk =>
        {
            sdk.Services.AddSingleton<IConfiguration>(builder.Configuration);
            sdk.ConfigureResource(Describe)
                .WithTracing(traces => traces.AddSource(Sources).AddOtlpExporter())
                .WithMetrics(metrics => metrics.AddMeter(Meters).AddOtlpExporter());
        }));
        builder.Services.AddHostedService<TelemetryFlush>();

        void Describe(ResourceBuilder resource)
        {
            // Aspire names the instance in the environment; elsewhere every process is an instance of its own.
            var named = builder.Configuration["OTEL_RESOURCE_ATTRIBUTES"]?.Contains("service.instance.id", StringComparison.Ordinal) is true;
            resource
                .AddService(builder.Configuration["OTEL_SERVICE_NAME"] ?? builder.Environment.ApplicationName, autoGenerateServiceInstanceId: !named)
                .AddEnvironmentVariableDetector();
        }
    }
}
