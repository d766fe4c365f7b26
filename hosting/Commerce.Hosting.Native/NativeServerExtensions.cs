using System.ComponentModel;
using System.Diagnostics;
using Commerce.Hosting.Native;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting;

/// <summary>Runs an application's servers as processes if there is no container engine.</summary>
public static class NativeServerExtensions
{
    static readonly TimeSpan EngineDeadline = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Runs MySQL, Redis and Kafka as processes of the current user instead of containers, in run mode and if neither Docker nor Podman
    /// answers. Names, endpoints, connection strings, health checks, waiting and commands stay the same. Call it first. The setting
    /// <c>NativeServers</c> (<c>true</c>, <c>false</c>) overrides the detection.
    /// </summary>
    /// <param name="builder">The application.</param>
    /// <param name="configure">Adds recipes for other containers.</param>
    /// <exception cref="DistributedApplicationException">A container has no recipe. Thrown at startup.</exception>
    public static IDistributedApplicationBuilder UseNativeServersWithoutContainers(
        this IDistributedApplicationBuilder builder, Action<IList<NativeServerRecipe>>? configure = null)
    {
        if (!builder.ExecutionContext.IsRunMode) return builder;
        if (!(builder.Configuration.GetValue<bool?>("NativeServers") ?? !ContainerEngineAnswers())) return builder;

        List<NativeServerRecipe> recipes = [new RedisRecipe(), new MySqlRecipe(), new KafkaRecipe(builder.Configuration)];
        configure?.Invoke(recipes);
        var folders = new DataFolders(builder);
        builder.Eventing.Subscribe<BeforeStartEvent>((started, _) =>
        {
            var swap = ActivatorUtilities.CreateInstance<ContainerSwap>(started.Services, started.Model, recipes, folders);
            swap.SwapAll();
            return Task.CompletedTask;
        });
        return builder;
    }

    static bool ContainerEngineAnswers() => Answers("docker", "{{.ServerVersion}}") || Answers("podman", "{{.Version.Version}}");

    static bool Answers(string program, string format)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, ["info", "--format", format])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            if (process.WaitForExit(EngineDeadline)) return process.ExitCode == 0;
            process.Kill();
        }
        catch (Win32Exception)
        {
            // The container engine is not installed.
        }
        return false;
    }
}
