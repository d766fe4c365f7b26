using OpenTelemetry.Exporter;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Commerce.ServiceDefaults;

/// <summary>OpenTelemetry over OTLP. The variables <c>OTEL_*</c> set the collector, the service and its instance.</summary>
public static class TelemetryExtensions
{
    static readonly TimeSpan ExportTimeout = TimeSpan.FromSeconds(3);

    /// <summary>Excludes requests to these endpoints, and everything that they cause, from traces.</summary>
    public static TBuilder WithoutTraces<TBuilder>(this TBuilder endpoints) where TBuilder : IEndpointConventionBuilder =>
        endpoints.WithMetadata(new UntracedMetadata());

    internal static bool HasOtlpEndpoint(IConfiguration configuration) =>
        !string.IsNullOrEmpty(configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]);

    // The factory disposes of its clients before the last batch is sent at shutdown. Its clients would also retry if the collector is
    // unavailable.
    static void Export(OtlpExporterOptions exporter) => exporter.HttpClientFactory = () => new HttpClient { Timeout = ExportTimeout };

    /// <summary>Adds traces and metrics. Does nothing without an OTLP endpoint, so there are no listeners and no spans.</summary>
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
                // Aspire sets the instance id in the environment. Elsewhere every process gets its own.
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
