using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Exporter;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Commerce.ServiceDefaults;

/// <summary>OpenTelemetry over OTLP. The variables <c>OTEL_*</c> name the collector, the service and its instance.</summary>
public static class TelemetryExtensions
{
    static readonly TimeSpan ExportTimeout = TimeSpan.FromSeconds(3);

    /// <summary>Keeps the requests to these endpoints out of the traces, with everything that they cause.</summary>
    public static TBuilder WithoutTraces<TBuilder>(this TBuilder endpoints) where TBuilder : IEndpointConventionBuilder =>
        endpoints.WithMetadata(UntracedMetadata.Instance);

    internal static bool HasOtlpEndpoint(IConfiguration configuration) =>
        !string.IsNullOrEmpty(configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]);

    // The factory's clients are gone when the last batch is sent at the end, and would repeat what a collector that is away does not take.
    static void Export(OtlpExporterOptions exporter) => exporter.HttpClientFactory = () => new HttpClient { Timeout = ExportTimeout };

    /// <summary>Does nothing where no OTLP endpoint is configured: then nobody listens, and no span is made.</summary>
    internal static void AddTelemetry(this IHostApplicationBuilder builder)
    {
        if (!HasOtlpEndpoint(builder.Configuration))
            return;
        builder.Logging.AddOpenTelemetry(logs =>
        {
            logs.IncludeFormattedMessage = true;
            logs.IncludeScopes = true;
            logs.AddOtlpExporter(Export);
        });
        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService(
                builder.Configuration["OTEL_SERVICE_NAME"] ?? builder.Environment.ApplicationName,
                // Aspire names the instance in the environment; elsewhere every process is an instance of its own.
                autoGenerateServiceInstanceId: builder.Configuration["OTEL_RESOURCE_ATTRIBUTES"]?.Contains("service.instance.id", StringComparison.Ordinal) is not true))
            .WithTracing(traces => traces
                .AddSource(CommerceTelemetry.Name)
                .AddAspNetCoreInstrumentation(requests => requests.RecordException = true)
                .AddHttpClientInstrumentation()
                .AddOtlpExporter(Export))
            .WithMetrics(metrics => metrics
                .AddMeter(CommerceTelemetry.Name, "MySqlConnector", "Polly")
                .AddAspNetCoreInstrumentation()
                .AddHttpClientInstrumentation()
                .AddRuntimeInstrumentation()
                .AddOtlpExporter(Export));
    }
}
