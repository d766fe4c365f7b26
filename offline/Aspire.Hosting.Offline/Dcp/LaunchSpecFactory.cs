using System.Reflection;
using System.Text.Json.Nodes;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Servers;

namespace Aspire.Hosting.Dcp;

/// <summary>Finds out which program a resource is, with its arguments and environment as they are now.</summary>
internal sealed class LaunchSpecFactory(
    IDistributedApplicationBuilder builder, DistributedApplicationExecutionContext execution, ResourceLoggerService loggers)
{
    /// <exception cref="DistributedApplicationException">The program or its folder is not there, or a value is missing.</exception>
    public async Task<JsonObject> CreateAsync(IResource resource, CancellationToken cancellationToken)
    {
        var program = await FindProgramAsync(resource, cancellationToken);
        if (!Directory.Exists(program.WorkingDirectory))
            throw new DistributedApplicationException($"its working directory '{program.WorkingDirectory}' does not exist.");

        var logger = loggers.GetLogger(resource);
        var args = new CommandLineArgsCallbackContext([], resource, cancellationToken) { ExecutionContext = execution, Logger = logger };
        foreach (var callback in resource.Annotations.OfType<CommandLineArgsCallbackAnnotation>())
            await callback.Callback(args);

        var environment = new EnvironmentCallbackContext(execution, resource, [], cancellationToken) { Logger = logger };
        foreach (var callback in resource.Annotations.OfType<EnvironmentCallbackAnnotation>())
            await callback.Callback(environment);

        var arguments = new JsonArray([.. program.Args.Select(a => JsonValue.Create(a))]);
        foreach (var value in args.Args)
            arguments.Add(JsonValue.Create(await ResolveAsync(value, cancellationToken) ?? ""));

        var variables = new JsonArray();
        foreach (var (name, value) in environment.EnvironmentVariables.Concat(program.Environment.Select(v => KeyValuePair.Create(v.Key, (object)v.Value))))
        {
            if (await ResolveAsync(value, cancellationToken) is { } text)
                variables.Add(new JsonObject { ["name"] = name, ["value"] = text });
        }

        return new JsonObject
        {
            ["executionType"] = "Process",
            ["executablePath"] = FindCommand(program.Command, program.WorkingDirectory),
            ["workingDirectory"] = program.WorkingDirectory,
            ["args"] = arguments,
            ["env"] = variables,
        };
    }

    static async ValueTask<string?> ResolveAsync(object value, CancellationToken cancellationToken) => value switch
    {
        string text => text,
        IValueProvider provider => await provider.GetValueAsync(cancellationToken),
        IResourceBuilder<IResource> { Resource: IValueProvider provider } => await provider.GetValueAsync(cancellationToken),
        _ => Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture),
    };

    static string FindCommand(string command, string folder)
    {
        var places = command.Contains('/', StringComparison.Ordinal) ? [Path.GetFullPath(command, folder)]
            : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Select(p => Path.Combine(p, command));
        return places.FirstOrDefault(File.Exists) ?? throw new DistributedApplicationException($"the program '{command}' was not found.");
    }

    async Task<ProcessDescription> FindProgramAsync(IResource resource, CancellationToken cancellationToken) => resource switch
    {
        ExecutableResource executable => new(executable.Command, executable.WorkingDirectory, []),
        ProjectResource => FindProject(resource.Annotations.OfType<IProjectMetadata>().Last().ProjectPath),
        _ => await resource.Annotations.OfType<NativeServerAnnotation>().Last().PrepareAsync(cancellationToken),
    };

    /// <summary>The built program itself, so that the process id is its own; dotnet run where its place is not known.</summary>
    ProcessDescription FindProject(string project)
    {
        var folder = Path.GetDirectoryName(project)!;
        if (builder.AppHostAssembly.FindMetadata($"output:{project}") is { } output)
        {
            return File.Exists(output) ? new(ServerPrograms.DotNet, folder, ["exec", output])
                : throw new DistributedApplicationException($"'{output}' is missing: build the project first.");
        }

        var configuration = builder.AppHostAssembly?.GetCustomAttribute<AssemblyConfigurationAttribute>()?.Configuration ?? "Debug";
        return new(ServerPrograms.DotNet, folder, ["run", "--project", project, "--no-build", "--configuration", configuration, "--no-launch-profile", "--"]);
    }
}
