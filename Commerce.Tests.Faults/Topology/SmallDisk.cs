using System.ComponentModel;
using System.Diagnostics;

namespace Commerce.Tests.Faults.Topology;

/// <summary>A small file system in memory, which a test can fill.</summary>
sealed class SmallDisk : IDisposable
{
    /// <summary>The reason for skipping a test that needs it.</summary>
    public const string WhyNot = "Needs a disk that it can fill: run as root, where mount is allowed.";

    readonly DirectoryInfo _mount;

    SmallDisk(DirectoryInfo mount) => _mount = mount;

    /// <summary>The root of the file system.</summary>
    public DirectoryInfo Folder => _mount;

    string Filler => Path.Combine(_mount.FullName, "filler");

    /// <summary>Mounts the file system. Returns null if this user may not mount.</summary>
    public static SmallDisk? TryMount(int megabytes)
    {
        var folder = Directory.CreateTempSubdirectory("commerce-disk-");
        if (Run("mount", "-t", "tmpfs", "-o", $"size={megabytes}m", "commerce-test", folder.FullName)) return new(folder);
        folder.Delete();
        return null;
    }

    /// <summary>Fills the file system completely.</summary>
    public void Fill()
    {
        using var filler = File.Create(Filler, bufferSize: 0);
        // A write that does not fit fails as a whole, so the last bytes are written one by one.
        for (var size = 1 << 20; size > 0;)
        {
            try
            {
                filler.Write(new byte[size]);
            }
            catch (IOException)
            {
                size /= 2;
            }
        }
    }

    /// <summary>Frees the space again.</summary>
    public void Free() => File.Delete(Filler);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Run("umount", "--lazy", _mount.FullName)) _mount.Delete();
    }

    static bool Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }
}
