using System.Reflection;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Testing;

/// <summary>Makes applications for tests: no dashboard, ports chosen anew, the resources' output in the log.</summary>
public static class DistributedApplicationTestingBuilder
{
    /// <typeparam name="TEntryPoint">A class of the AppHost's assembly, as Projects.X_AppHost.</typeparam>
    public static Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(CancellationToken cancellationToken = default)
        where TEntryPoint : class => CreateAsync<TEntryPoint>([], cancellationToken);

    /// <typeparam name="TEntryPoint">A class of the AppHost's assembly, as Projects.X_AppHost.</typeparam>
    /// <param name="args">For Main: configuration as key=value or --key=value.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(string[] args, CancellationToken cancellationToken = default)
        where TEntryPoint : class => CreateAsync<TEntryPoint>(args, (_, _) => { }, cancellationToken);

    public static async Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(
        string[] args,
        Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configureBuilder,
        CancellationToken cancellationToken = default) where TEntryPoint : class
    {
        var assembly = typeof(TEntryPoint).Assembly;
        return new TestingBuilder(await EntryPoint.RunAsync(assembly, args, (options, settings) =>
        {
            Configure(options, settings, args, assembly);
            configureBuilder(options, settings);
        }, cancellationToken));
    }

    /// <summary>An empty application.</summary>
    public static IDistributedApplicationTestingBuilder Create(params string[] args) => Create(args, (_, _) => { });

    public static IDistributedApplicationTestingBuilder Create(
        string[] args, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configureBuilder)
    {
        var options = new DistributedApplicationOptions();
        var settings = new HostApplicationBuilderSettings { Configuration = new() };
        Configure(options, settings, args, Assembly.GetEntryAssembly()!);
        configureBuilder(options, settings);
        return new TestingBuilder(new DistributedApplicationBuilder(options, settings, entryPoint: null));
    }

    static void Configure(
        DistributedApplicationOptions options, HostApplicationBuilderSettings settings, string[] args, Assembly assembly)
    {
        options.Args = settings.Args = args;
        options.AssemblyName = settings.ApplicationName = assembly.GetName().Name;
        options.DisableDashboard = true;
        options.EnableResourceLogging = true;
        var given = new ConfigurationBuilder().AddCommandLine(args).Build();
        var values = new Dictionary<string, string?> { ["DcpPublisher:RandomizePorts"] = "true" };
        var folder = assembly.FindMetadata("apphostprojectpath");
        if (folder is not null && LaunchProfile.Find(folder, null, given) is { } profile)
        {
            values["DOTNET_LAUNCH_PROFILE"] = profile.Name;
            foreach (var (key, value) in profile.EnvironmentVariables)
            {
                values[key] = value;
                values[key.Replace("DOTNET_", "", StringComparison.Ordinal).Replace("ASPNETCORE_", "", StringComparison.Ordinal)] = value;
            }
        }

        settings.Configuration!.AddInMemoryCollection(values.Where(v => given[v.Key] is null));
    }

    sealed class TestingBuilder(DistributedApplicationBuilder inner) : IDistributedApplicationTestingBuilder
    {
        DistributedApplication? _application;

        public ConfigurationManager Configuration => inner.Configuration;

        public string AppHostDirectory => inner.AppHostDirectory;

        public Assembly? AppHostAssembly => inner.AppHostAssembly;

        public IHostEnvironment Environment => inner.Environment;

        public IServiceCollection Services => inner.Services;

        public IDistributedApplicationEventing Eventing => inner.Eventing;

        public DistributedApplicationExecutionContext ExecutionContext => inner.ExecutionContext;

        public IResourceCollection Resources => inner.Resources;

        public IResourceBuilder<T> AddResource<T>(T resource) where T : IResource => inner.AddResource(resource);

        public IResourceBuilder<T> CreateResourceBuilder<T>(T resource) where T : IResource => inner.CreateResourceBuilder(resource);

        public DistributedApplication Build() => _application = inner.BuildCore();

        public Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken = default) => Task.FromResult(Build());

        public void Dispose() => _application?.Dispose();

        public ValueTask DisposeAsync() => _application?.DisposeAsync() ?? ValueTask.CompletedTask;
    }
}

public interface IDistributedApplicationTestingBuilder : IDistributedApplicationBuilder, IAsyncDisposable, IDisposable
{
    Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken = default);
}
