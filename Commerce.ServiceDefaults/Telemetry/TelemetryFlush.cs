using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Commerce.ServiceDefaults;

/// <summary>Starts the exporters with the host and sends what is left once everything else has stopped.</summary>
/// <param name="sdk">Asking for it starts it; the container disposes of it.</param>
sealed class TelemetryFlush(OpenTelemetrySdk sdk) : IHostedLifecycleService
{
    const int DeadlineMilliseconds = 3000;

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // Both wait for their exporter, so both at once and not on the thread that stops the host.
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.WhenAll(
        Task.Run(() => sdk.TracerProvider.ForceFlush(DeadlineMilliseconds), cancellationToken),
        Task.Run(() => sdk.MeterProvider.ForceFlush(DeadlineMilliseconds), cancellationToken));
}
