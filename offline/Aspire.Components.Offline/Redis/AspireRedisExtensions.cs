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

    // A server that is not there yet does not hold up the start of the host for long; the client goes on connecting.
    private const int ConnectTimeoutMs = 2000, KeepAliveSeconds = 10;

    /// <summary>
    /// Registers a singleton <see cref="IConnectionMultiplexer"/> for ConnectionStrings:<paramref name="connectionName"/> and the
    /// health check "StackExchange.Redis". It is there at once even when the server is not. Asynchronous calls have no time limit
    /// of their own: put <c>WaitAsync</c> on them.
    /// </summary>
    public static void AddRedisClient(
        this IHostApplicationBuilder builder,
        string connectionName,
        Action<StackExchangeRedisSettings>? configureSettings = null,
        Action<ConfigurationOptions>? configureOptions = null)
    {
        var settings = builder.BindSettings<StackExchangeRedisSettings>(Section, connectionName);
        configureSettings?.Invoke(settings);

        builder.Services.AddSingleton<IConnectionMultiplexer>(_ =>
        {
            var options = Parse(settings.Required(Section, connectionName));
            builder.Configuration.GetSection(Section).GetSection("ConfigurationOptions").Bind(options);
            builder.Configuration.GetSection(Section).GetSection(connectionName).GetSection("ConfigurationOptions").Bind(options);
            configureOptions?.Invoke(options);
            return ConnectionMultiplexer.Connect(options);
        });
        if (!settings.DisableAutoActivation)
            builder.Services.AddHostedService<Activation>();
        if (!settings.DisableHealthChecks)
            builder.TryAddHealthCheck("StackExchange.Redis", services =>
                _ => services.GetRequiredService<IConnectionMultiplexer>().GetDatabase().PingAsync());
    }

    private static ConfigurationOptions Parse(string connectionString)
    {
        // The client cuts a password at the first comma; here it ends where the next option begins.
        var password = PasswordOption.Match(connectionString);
        var rest = connectionString.Remove(password.Index, password.Length);
        var options = ConfigurationOptions.Parse(
            $"abortConnect=false,connectTimeout={ConnectTimeoutMs},keepAlive={KeepAliveSeconds},{rest}");
        if (password.Success)
            options.Password = password.Groups["value"].Value;
        return options;
    }

    [GeneratedRegex(
        @",\s*password\s*=(?<value>.*?)(?=,\s*(abortConnect|allowAdmin|channelPrefix|connectRetry|connectTimeout|defaultDatabase|keepAlive|name|serviceName|ssl|sslHost|syncTimeout)\s*=|$)",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex PasswordOption { get; }

    /// <summary>Connects by being constructed, when the host starts.</summary>
    private sealed class Activation : IHostedService
    {
        public Activation(IConnectionMultiplexer multiplexer) => ArgumentNullException.ThrowIfNull(multiplexer);

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
