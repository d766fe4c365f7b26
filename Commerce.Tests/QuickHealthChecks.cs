using System.Reflection;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Commerce.Tests;

/// <summary>Makes the AppHost of tests notice state changes sooner.</summary>
static class QuickHealthChecks
{
    /// <summary>
    /// Aspire checks healthy resources every 30 s, and others after 1, 2 … 5 s. Only two internal properties change that. If a later version renames
    /// them, tests wait longer but stay correct.
    /// </summary>
    public static T WithQuickHealthChecks<T>(this T builder) where T : IDistributedApplicationBuilder
    {
        // At startup only: resolving hosted services earlier creates an orchestrator that knows the containers and not their replacements.
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
