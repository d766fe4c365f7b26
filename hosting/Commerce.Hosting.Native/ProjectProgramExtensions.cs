using System.Reflection;

namespace Aspire.Hosting;

/// <summary>Starts projects without <c>dotnet run</c>.</summary>
public static class ProjectProgramExtensions
{
    /// <summary>
    /// Starts projects as their built executables. This is faster than <c>dotnet run</c>. The resource's process is also the program
    /// itself, so that a test can kill it. IDEs and <c>dotnet watch</c> are not affected. The AppHost imports
    /// Commerce.Hosting.Native.targets, which provides the paths of the executables.
    /// </summary>
    public static IDistributedApplicationBuilder RunProjectsAsPrograms(this IDistributedApplicationBuilder builder)
    {
        if (!builder.ExecutionContext.IsRunMode || builder.Configuration["DEBUG_SESSION_PORT"] is not null || builder.Configuration["DOTNET_WATCH"] is not null)
            return builder;
        var outputs = builder.AppHostAssembly!.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Where(a => a.Key.StartsWith("program:", StringComparison.Ordinal)).ToDictionary(a => a.Key["program:".Length..], a => a.Value!);
        builder.Eventing.Subscribe<BeforeStartEvent>((started, _) =>
        {
            foreach (var project in started.Model.Resources.OfType<ProjectResource>())
            {
                var file = project.GetProjectMetadata().ProjectPath;
                if (outputs.TryGetValue(file, out var assembly) && Path.ChangeExtension(assembly, null) is var program && File.Exists(program))
                    project.Annotations.Add(new ExecutableAnnotation { Command = program, WorkingDirectory = Path.GetDirectoryName(file)! });
            }
            return Task.CompletedTask;
        });
        return builder;
    }
}
