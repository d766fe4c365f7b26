using System.Diagnostics;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting;

/// <summary>A distributed application, ready to run.</summary>
[DebuggerDisplay("{_host}")]
public class DistributedApplication : IHost, IAsyncDisposable
{
    readonly IHost _host;
    readonly ILogger _logger;

    public DistributedApplication(IHost host)
    {
        _host = host;
        _logger = host.Services.GetRequiredService<ILogger<DistributedApplication>>();
    }

    public IServiceProvider Services => _host.Services;

    public ResourceNotificationService ResourceNotifications => Services.GetRequiredService<ResourceNotificationService>();

    public ResourceCommandService ResourceCommands => Services.GetRequiredService<ResourceCommandService>();

    public static IDistributedApplicationBuilder CreateBuilder() => CreateBuilder([]);

    /// <param name="args">Of the program: configuration as key=value or --key value.</param>
    public static IDistributedApplicationBuilder CreateBuilder(string[] args) => new DistributedApplicationBuilder(args);

    public static IDistributedApplicationBuilder CreateBuilder(DistributedApplicationOptions options) =>
        new DistributedApplicationBuilder(options);

    /// <summary>
    /// Starts everything. Ends when every resource was started or has failed to start, which may be long before it is healthy.
    /// </summary>
    public virtual async Task StartAsync(CancellationToken cancellationToken = default)
    {
        _logger.Starting();
        _logger.Directory(Services.GetRequiredService<IConfiguration>()["AppHost:Directory"]!);
        await Services.GetRequiredService<IDistributedApplicationEventing>().PublishAsync(
            new BeforeStartEvent(Services, Services.GetRequiredService<DistributedApplicationModel>()), cancellationToken);
        await _host.StartAsync(cancellationToken);
    }

    /// <summary>Stops everything, and waits until all processes are gone.</summary>
    public virtual Task StopAsync(CancellationToken cancellationToken = default) => _host.StopAsync(cancellationToken);

    /// <summary>Runs until SIGINT, SIGTERM or the token.</summary>
    public virtual async Task RunAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            await StartAsync(cancellationToken);
            if (!Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested) _logger.Started();
            await _host.WaitForShutdownAsync(cancellationToken);
        }
        finally
        {
            await DisposeAsync();
        }
    }

    public void Run() => RunAsync().GetAwaiter().GetResult();

    public virtual void Dispose()
    {
        DisposeAsync().AsTask().GetAwaiter().GetResult();
        GC.SuppressFinalize(this);
    }

    public virtual async ValueTask DisposeAsync()
    {
        await ((IAsyncDisposable)_host).DisposeAsync();
        GC.SuppressFinalize(this);
    }
}
