using System.Text.RegularExpressions;
using Aspire;
using Aspire.StackExchange.Redis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Microsoft.Extensions.Hosting;

public static partial class AspireRedisExtensions
{
    private const string Section = "Aspire:StackExchange:Redis";

    // Seconds. A server that is not there yet does not hold up the start of the host for long; the client goes on connecting.
    private const int ConnectTimeoutMs = 2000, KeepAlive = 10;

    /// <summary>
    /// Registers a singleton <see cref="IConnectionMultiplexer"/> for ConnectionStrings:<paramref name="connectionName"/> and the
    /// health check "StackExchange.Redis". It is there at once even when the server is not. Asynchronous calls have no time limit
    /// of their own: put <c>WaitAsync</c> on them.
    /// </summary>
    public static void AddRedisClient(
        this IHostApplicationBuilder builder,
        string connectionName,
        Action<StackExchangeRedisSettings>? configureSettings = null,
        Action<ConfigurationOptions>? configureOptions = null) =>
        Add(builder, connectionName, serviceKey: null, configureSettings, configureOptions);

    /// <summary>The same as a keyed service; the key is <paramref name="name"/>, the health check "StackExchange.Redis_<paramref name="name"/>".</summary>
    public static void AddKeyedRedisClient(
        this IHostApplicationBuilder builder,
        string name,
        Action<StackExchangeRedisSettings>? configureSettings = null,
        Action<ConfigurationOptions>? configureOptions = null) =>
        Add(builder, name, serviceKey: name, configureSettings, configureOptions);

    private static void Add(
        IHostApplicationBuilder builder,
        string name,
        string? serviceKey,
        Action<StackExchangeRedisSettings>? configureSettings,
        Action<ConfigurationOptions>? configureOptions)
    {
        var settings = builder.BindSettings<StackExchangeRedisSettings>(Section, name);
        configureSettings?.Invoke(settings);

        builder.Services.AddKeyedSingleton<IConnectionMultiplexer>(serviceKey, (_, _) =>
        {
            var options = Parse(settings.Required(Section, name));
            builder.Configuration.GetSection(Section).GetSection("ConfigurationOptions").Bind(options);
            builder.Configuration.GetSection(Section).GetSection(name).GetSection("ConfigurationOptions").Bind(options);
            configureOptions?.Invoke(options);
            return ConnectionMultiplexer.Connect(options);
        });
        if (!settings.DisableAutoActivation)
            builder.Services.AddSingleton<IHostedService>(services =>
                new Activation(services.GetRequiredKeyedService<IConnectionMultiplexer>(serviceKey)));
        if (!settings.DisableHealthChecks)
            builder.TryAddHealthCheck(serviceKey is null ? "StackExchange.Redis" : $"StackExchange.Redis_{name}",
                services => _ => services.GetRequiredKeyedService<IConnectionMultiplexer>(serviceKey).GetDatabase().PingAsync());
    }

    private static ConfigurationOptions Parse(string connectionString)
    {
        // The client cuts a password at the first comma; here it ends where the next option begins.
        var password = PasswordOption.Match(connectionString);
        var rest = connectionString.Remove(password.Index, password.Length);
        var options = ConfigurationOptions.Parse("abortConnect=false,connectTimeout=" + ConnectTimeoutMs + ",keepAlive=" + KeepAlive + "," + rest);
        if (password.Success)
            options.Password = password.Groups["value"].Value;
        return options;
    }

    [GeneratedRegex(@",\s*password\s*=(?<value>.*?)(?=,\s*\w+\s*=|$)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex PasswordOption { get; }

    /// <summary>Has asked for the multiplexer by being constructed.</summary>
    private sealed class Activation(IConnectionMultiplexer multiplexer) : IHostedService
    {
        public IConnectionMultiplexer Multiplexer => multiplexer;

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
