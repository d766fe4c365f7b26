using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting;

public static class OtlpConfigurationExtensions
{
    /// <summary>Tells the resource where the dashboard takes telemetry. Projects have it.</summary>
    /// <remarks>
    /// Without a dashboard nothing is set: telemetry that nobody takes costs time. Aspire would name a port where nobody listens.
    /// </remarks>
    public static IResourceBuilder<T> WithOtlpExporter<T>(this IResourceBuilder<T> builder) where T : IResourceWithEnvironment
    {
        var configuration = builder.ApplicationBuilder.Configuration;
        var development = builder.ApplicationBuilder.Environment.IsDevelopment();
        return builder.WithEnvironment(context =>
        {
            var to = context.EnvironmentVariables;
            if (configuration["AppHost:OtlpEndpoint"] is not { } endpoint) return;

            to["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint;
            to["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc";
            to["OTEL_EXPORTER_OTLP_HEADERS"] = $"x-otlp-api-key={configuration["AppHost:OtlpApiKey"]}";
            to["OTEL_SERVICE_NAME"] = context.Resource.Name;
            to["OTEL_RESOURCE_ATTRIBUTES"] = "service.instance.id={{- index .Annotations \"otel-service-instance-id\" -}}";
            to["OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY"] = "in_memory";
            if (development)
            {
                // So that everything is on the dashboard at once.
                to["OTEL_BLRP_SCHEDULE_DELAY"] = to["OTEL_BSP_SCHEDULE_DELAY"] = to["OTEL_METRIC_EXPORT_INTERVAL"] = "1000";
                to["OTEL_TRACES_SAMPLER"] = "always_on";
                to["OTEL_METRICS_EXEMPLAR_FILTER"] = "trace_based";
            }
        });
    }
}
