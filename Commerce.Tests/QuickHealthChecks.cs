using System.Reflection;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Commerce.Tests;

/// <summary>Lets the AppHost of tests notice sooner what becomes of its resources.</summary>
static class QuickHealthChecks
{
    /// <summary>
    /// Aspire checks healthy resources every 30 s, and others after 1, 2 … 5 s. It has no setting for that, only two internal properties. Where a
    /// later version has renamed them, tests wait longer and are right nevertheless.
    /// </summary>
    public static T WithQuickHealthChecks<T>(this T builder) where T : IDistributedApplicationBuilder
    {
        // Not before the start: whoever asks for the hosted services earlier gets an orchestrator that knows the containers, and not what runs in their place.
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
