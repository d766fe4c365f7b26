using System.Text;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace Commerce.Hosting.Native;

/// <summary>How one kind of container runs as a process.</summary>
public abstract class NativeServerRecipe
{
    /// <summary>The name of the server, for messages.</summary>
    public abstract string Name { get; }

    /// <summary>A sentence for who has no such server.</summary>
    public abstract string HowToInstall { get; }

    /// <summary>Variables of the process.</summary>
    public virtual IReadOnlyDictionary<string, string> Environment => new Dictionary<string, string>();

    /// <summary>Whether this recipe is for the container. The last recipe that fits is used.</summary>
    public abstract bool Fits(ContainerResource container);

    /// <summary>The full path of the program; null where it is not installed.</summary>
    public abstract string? FindProgram();

    /// <summary>Prepares data and files, and returns the program's arguments. Called before every start, also after a crash.</summary>
    public abstract Task<IEnumerable<string>> PrepareAsync(NativeServerStart start, CancellationToken cancellationToken);

    /// <summary>Whether the server, and every database of it, can be used.</summary>
    public abstract IHealthCheck HealthCheckOf(ContainerResource container);

    /// <summary>A file of the folder where private installations are: ~/.cache/commerce, or in $XDG_CACHE_HOME. Null where there is none.</summary>
    protected static string? InCache(string folder, string file)
    {
        var cache = System.Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } given
            ? given : Path.Combine(System.Environment.GetFolderPath(System.Environment.SpecialFolder.UserProfile), ".cache");
        return Path.Combine(cache, "commerce", folder, file) is var path && Path.Exists(path) ? path : null;
    }

    /// <summary>A program on PATH, or where servers are that only root's PATH has; null where there is none.</summary>
    protected static string? OnPath(string program) =>
        $"{System.Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/usr/local/sbin".Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
}

/// <summary>One start of a server.</summary>
/// <param name="Container">What the process stands for.</param>
/// <param name="Home">The folder of its data, and its working directory.</param>
/// <param name="Run">A folder of this run, readable by this user only.</param>
/// <param name="Port">Where it has to listen on 127.0.0.1.</param>
/// <param name="Arguments">What the container would have got on its command line, as far as it is plain text.</param>
/// <param name="Variables">What the container would have got in its environment, as far as it is plain text.</param>
/// <param name="Logger">The console log of the resource.</param>
public sealed record NativeServerStart(
    ContainerResource Container, string Home, string Run, int Port, IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string> Variables, ILogger Logger)
{
    /// <summary>Writes a file that only this user can read, for what must not stand on a command line, which everybody can see.</summary>
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
