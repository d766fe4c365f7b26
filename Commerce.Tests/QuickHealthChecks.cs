using System.Reflection;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
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
    public static IDistributedApplicationTestingBuilder WithQuickHealthChecks(this IDistributedApplicationTestingBuilder builder)
    {
        // Not sooner: what the host starts keeps the model that it was built with, and until then there are containers in it.
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
