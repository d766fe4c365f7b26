using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Commerce.ServiceDefaults;

/// <summary>
/// The response of the health endpoints: name, status and duration of each check. It omits messages, which may contain secrets.
/// </summary>
sealed record HealthBody(string Status, IEnumerable<HealthCheckBody> Checks)
{
    public static Task WriteAsync(HttpContext context, HealthReport report) => context.Response.WriteAsJsonAsync(
        new(report.Status.ToString(), report.Entries.Select(e => new HealthCheckBody(e.Key, e.Value.Status.ToString(), Math.Round(e.Value.Duration.TotalMilliseconds, 1)))),
        HealthJson.Default.HealthBody, "application/json");
}

sealed record HealthCheckBody(string Name, string Status, double DurationMs);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(HealthBody))]
sealed partial class HealthJson : JsonSerializerContext;
