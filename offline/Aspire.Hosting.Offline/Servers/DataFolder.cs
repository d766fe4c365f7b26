using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Aspire.Hosting.Servers;

/// <summary>
/// The folder .data of the repository: what is kept between runs (volumes, generated secrets), and a folder for this run that is
/// removed at its end. What a killed run left behind is removed by the next one.
/// </summary>
internal sealed class DataFolder(string appHostDirectory) : IDisposable
{
    const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    readonly string _root = Path.Combine(FindRepository(appHostDirectory), ".data");
    readonly ConcurrentDictionary<string, FileStream> _volumeLocks = new();
    FileStream? _runLock;

    /// <summary>Exists once <see cref="BeginRun"/> was called. Readable by this user only.</summary>
    public string Run { get; private set; } = "";
    /// <summary>Short, because the path of a Unix socket may have 107 bytes. Goes with the run.</summary>
    public string Sockets { get; private set; } = "";

    public static DataFolder Of(IDistributedApplicationBuilder builder) =>
        builder.Services.Select(s => s.ImplementationInstance).OfType<DataFolder>().Single();

    /// <summary>A folder that is kept, for this run alone.</summary>
    /// <exception cref="DistributedApplicationException">Another AppHost has it.</exception>
    public string Volume(string name)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_root, name), Private).FullName;
        try
        {
            if (!_volumeLocks.ContainsKey(name)) _volumeLocks[name] = Lock(folder);
            return folder;
        }
        catch (IOException)
        {
            throw new DistributedApplicationException($"the data in '{folder}' is in use by another AppHost.");
        }
    }

    public void BeginRun() => Alone(() =>
    {
        var runs = Directory.CreateDirectory(Path.Combine(_root, "run"), Private).FullName;
        foreach (var stale in Directory.GetDirectories(runs)) RemoveIfDead(stale);

        Run = Directory.CreateDirectory(Path.Combine(runs, Guid.NewGuid().ToString("N")[..12]), Private).FullName;
        // Held open: the kernel gives the lock back when this process dies, however it dies.
        _runLock = Lock(Run);
        Sockets = Directory.CreateTempSubdirectory("commerce-").FullName;
        File.WriteAllText(Path.Combine(Run, "sockets"), Sockets);
        return Run;
    });

    public void Dispose()
    {
        foreach (var volume in _volumeLocks.Values) volume.Dispose();
        _volumeLocks.Clear();
        if (_runLock is { } held)
        {
            _runLock = null;
            held.Dispose();
            RemoveIfDead(Run);
        }
    }

    /// <summary>A secret that is kept, in a file that only this user can read.</summary>
    /// <param name="key">Its configuration key.</param>
    /// <param name="fresh">The value when there is none yet.</param>
    public string Secret(string key, Func<string> fresh) => Alone(() =>
    {
        Directory.CreateDirectory(_root, Private);
        var file = Path.Combine(_root, "secrets.json");
        var secrets = File.Exists(file) ? JsonSerializer.Deserialize(File.ReadAllBytes(file), HostingJson.Default.DictionaryStringString)!
            : [];
        if (!secrets.TryGetValue(key, out var value))
        {
            secrets[key] = value = fresh();
            WritePrivately(file + ".new", JsonSerializer.Serialize(secrets, HostingJson.Default.DictionaryStringString));
            File.Move(file + ".new", file, overwrite: true);
        }

        return value;
    });

    /// <summary>Writes a file that was never readable by anybody else.</summary>
    public static void WritePrivately(string path, string text)
    {
        File.Delete(path);
        using var writer = new StreamWriter(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        writer.Write(text);
    }

    /// <summary>While no other AppHost of this repository is doing such a thing.</summary>
    string Alone(Func<string> action)
    {
        using var mutex = new Mutex(false, @"Global\commerce-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(_root)))[..16]);
        try
        {
            mutex.WaitOne();
        }
        catch (AbandonedMutexException)
        {
            // Its holder was killed; now it is ours.
        }

        try
        {
            return action();
        }
        finally
        {
            mutex.ReleaseMutex();
        }
    }

    static FileStream Lock(string folder) => new(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);

    static void RemoveIfDead(string run)
    {
        try
        {
            using (Lock(run))
            {
                var sockets = Path.Combine(run, "sockets");
                if (File.Exists(sockets) && Directory.Exists(File.ReadAllText(sockets)))
                    Directory.Delete(File.ReadAllText(sockets), recursive: true);
            }

            Directory.Delete(run, recursive: true);
        }
        catch (IOException)
        {
            // Alive, or its processes are just ending: the next run tries again.
        }
    }

    static string FindRepository(string from)
    {
        for (var at = new DirectoryInfo(from); at is not null; at = at.Parent)
            if (at.EnumerateFiles("*.sln").Any() || Path.Exists(Path.Combine(at.FullName, ".git"))) return at.FullName;

        return from;
    }
}
