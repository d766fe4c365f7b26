using System.Reflection;
using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard;
using Aspire.Hosting.Dcp;
using Aspire.Hosting.Eventing;
using Aspire.Hosting.Health;
using Aspire.Hosting.Servers;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Aspire.Hosting;

/// <summary>The builder behind <see cref="DistributedApplication.CreateBuilder(string[])"/>.</summary>
public class DistributedApplicationBuilder : IDistributedApplicationBuilder
{
    readonly HostApplicationBuilder _host;
    readonly EntryPoint? _entryPoint;

    public DistributedApplicationBuilder(string[] args) : this(new DistributedApplicationOptions { Args = args })
    {
    }

    public DistributedApplicationBuilder(DistributedApplicationOptions options)
        : this(options, new HostApplicationBuilderSettings { Args = options.Args, Configuration = new() }, EntryPoint.Current)
    {
    }

    internal DistributedApplicationBuilder(DistributedApplicationOptions options, HostApplicationBuilderSettings settings, EntryPoint? entryPoint)
    {
        _entryPoint = entryPoint;
        _entryPoint?.Configure(options, settings);
        if (options.Args?.Contains("--operation") == true || options.Args?.Contains("--publisher") == true)
            throw new NotSupportedException(
                "The offline mode runs applications; it does not publish them. Use the Aspire packages for that.");

        AppHostAssembly = options.AssemblyName is { } name ? Assembly.Load(name) : Assembly.GetEntryAssembly();
        AppHostDirectory = Path.GetFullPath(options.ProjectDirectory ?? AppHostAssembly.FindMetadata("apphostprojectpath") ?? Directory.GetCurrentDirectory());
        settings.ContentRootPath ??= AppHostDirectory;
        _host = new HostApplicationBuilder(settings);
        ExecutionContext = new(DistributedApplicationOperation.Run);
        foreach (var key in (ReadOnlySpan<string>)["AppHost:OtlpApiKey", "AppHost:BrowserToken", "AppHost:ResourceService:ApiKey", "AppHost:DashboardApiKey"])
            Configuration[key] ??= Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

        Configuration["AppHost:DashboardApplicationName"] ??= options.DashboardApplicationName ?? Environment.ApplicationName;
        Configuration["AppHost:Directory"] = AppHostDirectory;
        AddServices(options);
    }

    public ConfigurationManager Configuration => _host.Configuration;

    public string AppHostDirectory { get; }
    public Assembly? AppHostAssembly { get; }

    public IHostEnvironment Environment => _host.Environment;

    public IServiceCollection Services => _host.Services;

    public IDistributedApplicationEventing Eventing { get; } = new DistributedApplicationEventing();
    public DistributedApplicationExecutionContext ExecutionContext { get; }
    public IResourceCollection Resources { get; } = new ResourceCollection();

    public IResourceBuilder<T> AddResource<T>(T resource) where T : IResource
    {
        Resources.Add(resource);
        return CreateResourceBuilder(resource);
    }

    public IResourceBuilder<T> CreateResourceBuilder<T>(T resource) where T : IResource => new ResourceBuilder<T>(this, resource);

    public DistributedApplication Build() => _entryPoint is null ? BuildCore() : _entryPoint.HandOver(this);

    internal DistributedApplication BuildCore()
    {
        var application = new DistributedApplication(_host.Build());
        ExecutionContext.Services = application.Services;
        return application;
    }

    void AddServices(DistributedApplicationOptions options)
    {
        _host.Logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Warning);
        _host.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        _host.Logging.AddFilter("System.Net.Http", LogLevel.Warning);
        _host.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        Services.TryAddSingleton(TimeProvider.System);
        Services.AddHttpClient();
        Services.AddHealthChecks();
        Services.Configure<ResourceNotificationServiceOptions>(o => o.DefaultWaitBehavior =
            options.DisableDashboard ? WaitBehavior.StopOnResourceUnavailable : WaitBehavior.WaitOnResourceUnavailable);
        Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(60));
        Services.AddSingleton(options).AddSingleton(new DataFolder(AppHostDirectory)).AddSingleton(ExecutionContext).AddSingleton(Eventing)
            .AddSingleton<IDistributedApplicationBuilder>(this)
            .AddSingleton(new DistributedApplicationModel(Resources))
            .AddSingleton(s => new ResourceLoggerService(s.GetRequiredService<TimeProvider>()))
            .AddSingleton(s => new ResourceNotificationService(
                s, s.GetRequiredService<ResourceLoggerService>(), s.GetRequiredService<IOptions<ResourceNotificationServiceOptions>>()))
            .AddSingleton(s => new ResourceCommandService(
                s.GetRequiredService<ResourceNotificationService>(), s.GetRequiredService<ResourceLoggerService>(), s))
            .AddSingleton<DcpClient>().AddSingleton<EndpointAllocator>().AddSingleton<LaunchSpecFactory>().AddSingleton<InstanceWatcher>()
            .AddSingleton<ResourceService>().AddSingleton<DashboardHost>().AddSingleton<Orchestrator>()
            .AddHostedService<HealthMonitor>()
            .AddHostedService(s => s.GetRequiredService<Orchestrator>());
    }
}
