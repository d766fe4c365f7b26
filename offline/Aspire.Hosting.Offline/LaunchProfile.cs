using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting;

/// <summary>What is used of a profile in a project's launchSettings.json.</summary>
internal sealed record LaunchProfile(string Name, Uri[] ApplicationUrls, IReadOnlyDictionary<string, string> EnvironmentVariables)
{
    static readonly JsonDocumentOptions Relaxed = new() { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip };

    /// <param name="projectPath">The project file, or its folder.</param>
    /// <param name="name">The profile; null for the AppHost's profile, else the first one.</param>
    /// <param name="configuration">The AppHost's.</param>
    /// <exception cref="DistributedApplicationException">There is no profile of that name.</exception>
    public static LaunchProfile? Find(string projectPath, string? name, IConfiguration configuration)
    {
        var folder = Directory.Exists(projectPath) ? projectPath : Path.GetDirectoryName(projectPath)!;
        var file = Path.Combine(folder, "Properties", "launchSettings.json");
        var profiles = File.Exists(file)
            ? (JsonNode.Parse(File.ReadAllText(file), documentOptions: Relaxed)?["profiles"]?.AsObject()
                .Where(p => p.Value?["commandName"]?.GetValue<string>() is null or "Project").ToArray() ?? [])
            : [];
        var found = name is null
            ? profiles.FirstOrDefault(p => p.Key == configuration["DOTNET_LAUNCH_PROFILE"]) is { Key: not null } same ? same
                : profiles.FirstOrDefault()
            : profiles.FirstOrDefault(p => p.Key == name) is { Key: not null } exact ? exact
                : throw new DistributedApplicationException($"Launch settings file does not contain '{name}' profile.");
        if (found.Value is not { } profile) return null;

        var urls = profile["applicationUrl"]?.GetValue<string>().Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
        var variables = profile["environmentVariables"]?.AsObject().ToDictionary(v => v.Key, v => v.Value?.ToString() ?? "") ?? [];
        return new(found.Key, [.. urls.Select(u => new Uri(u))], variables);
    }
}
