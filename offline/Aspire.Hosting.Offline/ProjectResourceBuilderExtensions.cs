using System.Globalization;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

public static class ProjectResourceBuilderExtensions
{
    /// <typeparam name="TProject">A class of the namespace Projects.</typeparam>
    public static IResourceBuilder<ProjectResource> AddProject<TProject>(this IDistributedApplicationBuilder builder, string name)
        where TProject : IProjectMetadata, new() => builder.AddProject(name, new TProject(), new());

    /// <param name="builder">The application.</param>
    /// <param name="name">The resource's name.</param>
    /// <param name="launchProfileName">Null for none.</param>
    public static IResourceBuilder<ProjectResource> AddProject<TProject>(
        this IDistributedApplicationBuilder builder, string name, string? launchProfileName) where TProject : IProjectMetadata, new() =>
        builder.AddProject(name, new TProject(), FromProfile(launchProfileName));

    public static IResourceBuilder<ProjectResource> AddProject<TProject>(
        this IDistributedApplicationBuilder builder, string name, Action<ProjectResourceOptions> configure)
        where TProject : IProjectMetadata, new() => builder.AddProject(name, new TProject(), Configured(configure));

    /// <param name="builder">The application.</param>
    /// <param name="name">The resource's name.</param>
    /// <param name="projectPath">The project file or its folder, seen from the AppHost's folder.</param>
    public static IResourceBuilder<ProjectResource> AddProject(this IDistributedApplicationBuilder builder, string name, string projectPath) =>
        builder.AddProject(name, new ProjectMetadata(builder.AppHostDirectory, projectPath), new());

    public static IResourceBuilder<ProjectResource> AddProject(
        this IDistributedApplicationBuilder builder, string name, string projectPath, string? launchProfileName) =>
        builder.AddProject(name, new ProjectMetadata(builder.AppHostDirectory, projectPath), FromProfile(launchProfileName));

    public static IResourceBuilder<ProjectResource> AddProject(
        this IDistributedApplicationBuilder builder, string name, string projectPath, Action<ProjectResourceOptions> configure) =>
        builder.AddProject(name, new ProjectMetadata(builder.AppHostDirectory, projectPath), Configured(configure));

    /// <summary>So many processes behind the proxy of each endpoint.</summary>
    public static IResourceBuilder<ProjectResource> WithReplicas(this IResourceBuilder<ProjectResource> builder, int replicas)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(replicas);
        return builder.WithAnnotation(new ReplicaAnnotation(replicas), ResourceAnnotationMutationBehavior.Replace);
    }

    static ProjectResourceOptions FromProfile(string? name) => new() { ExcludeLaunchProfile = name is null, LaunchProfileName = name };

    static ProjectResourceOptions Configured(Action<ProjectResourceOptions> configure)
    {
        var options = new ProjectResourceOptions();
        configure(options);
        return options;
    }

    static IResourceBuilder<ProjectResource> AddProject(
        this IDistributedApplicationBuilder builder, string name, IProjectMetadata metadata, ProjectResourceOptions options)
    {
        var project = builder.AddResource(new ProjectResource(name)).WithAnnotation(metadata).WithOtlpExporter()
            .WithEnvironment("LOGGING__CONSOLE__FORMATTERNAME", "simple")
            .WithEnvironment("DOTNET_SYSTEM_CONSOLE_ALLOW_ANSI_COLOR_REDIRECTION", "true")
            .WithEnvironment(AddUrls);
        if (!options.ExcludeLaunchProfile
            && LaunchProfile.Find(metadata.ProjectPath, options.LaunchProfileName, builder.Configuration) is { } profile)
        {
            project.WithAnnotation(new LaunchProfileAnnotation(profile.Name)).WithEnvironment(context =>
            {
                context.EnvironmentVariables.TryAdd("DOTNET_LAUNCH_PROFILE", profile.Name);
                foreach (var (key, value) in profile.EnvironmentVariables)
                    context.EnvironmentVariables.TryAdd(key, Environment.ExpandEnvironmentVariables(value));
            });
            foreach (var group in profile.ApplicationUrls.GroupBy(u => u.Scheme))
            {
                foreach (var (i, url) in group.Index())
                {
                    project.WithEndpoint(i == 0 ? url.Scheme : url.Scheme + (i + 1).ToString(CultureInfo.InvariantCulture), e =>
                        (e.Port, e.UriScheme, e.Transport, e.FromLaunchProfile) = (url.Port, url.Scheme, "http", true));
                }
            }
        }

        return project;
    }

    static async Task AddUrls(EnvironmentCallbackContext context)
    {
        var urls = new List<string>();
        foreach (var endpoint in ((ProjectResource)context.Resource).GetEndpoints().Where(e => e.IsHttp || e.IsHttps))
        {
            var port = await endpoint.Property(EndpointProperty.TargetPort).GetValueAsync(context.CancellationToken);
            urls.Add($"{endpoint.Scheme}://{endpoint.EndpointAnnotation.TargetHost}:{port}");
        }

        if (urls.Count > 0) context.EnvironmentVariables.TryAdd("ASPNETCORE_URLS", string.Join(';', urls));
    }

    sealed class ProjectMetadata(string root, string path) : IProjectMetadata
    {
        public string ProjectPath { get; } = Path.GetFullPath(path, root) is var full && Directory.Exists(full)
            ? Directory.GetFiles(full, "*.*proj").FirstOrDefault()
                ?? throw new DistributedApplicationException($"There is no project file in '{full}'.")
            : full;
    }
}

public class ProjectResourceOptions
{
    /// <summary>A profile of the project's launchSettings.json; the AppHost's own profile's name, or the first one, when null.</summary>
    public string? LaunchProfileName { get; set; }
    public bool ExcludeLaunchProfile { get; set; }
}

/// <summary>Where a project is. The classes of the namespace Projects have it.</summary>
public interface IProjectMetadata : IResourceAnnotation
{
    /// <summary>The absolute path of the project file.</summary>
    string ProjectPath { get; }

    bool SuppressBuild => false;
}
