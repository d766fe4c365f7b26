using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Aspire;

/// <summary>What the components have in common: where their settings come from and how they register a health check.</summary>
internal static class ComponentBuilderExtensions
{
    // A check answers in this time even when the service accepts connections and then says nothing.
    private static readonly TimeSpan HealthCheckTimeout = TimeSpan.FromSeconds(3);

    /// <summary>Binds SECTION, then SECTION:NAME, then ConnectionStrings:NAME; later ones win.</summary>
    public static TSettings BindSettings<TSettings>(this IHostApplicationBuilder builder, string section, string name)
        where TSettings : IConnectionSettings, new()
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(name);

        var settings = new TSettings();
        builder.Configuration.GetSection(section).Bind(settings);
        builder.Configuration.GetSection(section).GetSection(name).Bind(settings);
        settings.ConnectionString = builder.Configuration.GetConnectionString(name) ?? settings.ConnectionString;
        return settings;
    }

    /// <summary>Registers a check that throws when the service does not answer. The first registration of a name stays.</summary>
    public static void TryAddHealthCheck(
        this IHostApplicationBuilder builder, string name, Func<IServiceProvider, Func<CancellationToken, Task>> createCheck)
    {
        if (!builder.Properties.TryAdd($"Aspire.HealthChecks.{name}", true))
            return;
        builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
            name, services => new AnswerHealthCheck(createCheck(services)), failureStatus: null, tags: null, HealthCheckTimeout));
    }

    public static string Required(this IConnectionSettings settings, string section, string name) =>
        string.IsNullOrWhiteSpace(settings.ConnectionString)
            ? throw new InvalidOperationException(
                $"ConnectionString is missing. It should be provided in 'ConnectionStrings:{name}' or under the 'ConnectionString' key in '{section}' configuration section.")
            : settings.ConnectionString;

    private sealed class AnswerHealthCheck(Func<CancellationToken, Task> ask) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken)
        {
            try
            {
                // The waiting ends with the token, whether or not the client library looks at it.
                await ask(cancellationToken).WaitAsync(cancellationToken);
                return HealthCheckResult.Healthy();
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                return new HealthCheckResult(context.Registration.FailureStatus, exception: e);
            }
        }
    }
}
