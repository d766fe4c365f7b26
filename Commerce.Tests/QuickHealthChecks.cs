using System.Reflection;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Commerce.Tests;

/// <summary>Makes the AppHost of the tests notice state changes faster.</summary>
static class QuickHealthChecks
{
    /// <summary>
    /// Shortens the intervals of health checks. Aspire checks healthy resources every 30 s, and others after 1, 2 … 5 s. Two internal
    /// properties change this. If a later version renames them, tests wait longer but stay correct.
    /// </summary>
    public static T WithQuickHealthChecks<T>(this T builder) where T : IDistributedApplicationBuilder
    {
        // This runs only at startup. If the hosted services were resolved earlier, the orchestrator would know the containers and not
        // their replacements.
        builder.Eventing.Subscribe<BeforeStartEvent>((started, _) =>
        {
            var service = started.Services.GetServices<IHostedService>().SingleOrDefault(s => s.GetType().Name == "ResourceHealthCheckService");
            foreach (var (name, seconds) in new[] { ("HealthyHealthCheckInterval", 2.0), ("NonHealthyHealthCheckStepInterval", 0.25) })
                service?.GetType().GetProperty(name, BindingFlags.Instance | BindingFlags.NonPublic)?.SetValue(service, TimeSpan.FromSeconds(seconds));
            return Task.CompletedTask;
        });
        return builder;
    }
}
