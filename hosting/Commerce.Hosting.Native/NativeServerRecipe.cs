using System.Text;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace Commerce.Hosting.Native;

/// <summary>Runs one kind of container as a process.</summary>
public abstract class NativeServerRecipe
{
    /// <summary>The name of the server, for messages.</summary>
    public abstract string Name { get; }

    /// <summary>A message for users without this server.</summary>
    public abstract string HowToInstall { get; }

    /// <summary>Environment variables of the process.</summary>
    public virtual IReadOnlyDictionary<string, string> Environment => new Dictionary<string, string>();

    /// <summary>Whether this recipe fits the container. If several recipes fit, the last one is used.</summary>
    public abstract bool Fits(ContainerResource container);

    /// <summary>Returns the full path of the program, or null if it is not installed.</summary>
    public abstract string? FindProgram();

    /// <summary>Prepares data and files, and returns the program's arguments. Called before every start, also after a crash.</summary>
    public abstract Task<IEnumerable<string>> PrepareAsync(NativeServerStart start, CancellationToken cancellationToken);

    /// <summary>Checks the server and all its databases.</summary>
    public abstract IHealthCheck HealthCheckOf(ContainerResource container);

    /// <summary>
    /// Returns a file in the folder of private installations (~/.cache/commerce, or $XDG_CACHE_HOME/commerce), or null if it does not
    /// exist.
    /// </summary>
    protected static string? InCache(string folder, string file)
    {
        var cache = System.Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } given
            ? given : Path.Combine(System.Environment.GetFolderPath(System.Environment.SpecialFolder.UserProfile), ".cache");
        return Path.Combine(cache, "commerce", folder, file) is var path && Path.Exists(path) ? path : null;
    }

    /// <summary>Returns a program on PATH or in a system folder, or null if it does not exist.</summary>
    protected static string? OnPath(string program) =>
        $"{System.Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/usr/local/sbin".Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
}

/// <summary>One start of a server.</summary>
/// <param name="Container">The container that the process replaces.</param>
/// <param name="Home">The data folder, which is also the working directory.</param>
/// <param name="Run">A folder of this run that only the current user can read.</param>
/// <param name="Port">The port on 127.0.0.1.</param>
/// <param name="Arguments">The plain-text part of the container's command line.</param>
/// <param name="Variables">The plain-text part of the container's environment.</param>
/// <param name="Logger">The console log of the resource.</param>
public sealed record NativeServerStart(
    ContainerResource Container, string Home, string Run, int Port, IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string> Variables, ILogger Logger)
{
    /// <summary>Writes a file that only the current user can read, for secrets that must not appear on a command line.</summary>
    public string WritePrivately(string name, string text)
    {
        var file = Path.Combine(Run, name);
        using var stream = new FileStream(file, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        stream.Write(Encoding.UTF8.GetBytes(text));
        return file;
    }
}
