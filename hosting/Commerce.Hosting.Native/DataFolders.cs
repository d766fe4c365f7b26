using System.Globalization;

namespace Commerce.Hosting.Native;

/// <summary>
/// The data folders. <c>.data/NAME</c> is the volume NAME. <c>.data/run/PID-N</c> belongs to one run. The next run removes it after
/// its process has ended. Only the current user can read the folders. They are in the AppHost's parent folder, or in the folder of
/// the setting <c>NativeServers:Data</c>.
/// </summary>
sealed class DataFolders
{
    static int s_applications;

    readonly string _root;

    public DataFolders(IDistributedApplicationBuilder builder)
    {
        _root = builder.Configuration["NativeServers:Data"] ?? Path.GetFullPath(Path.Combine(builder.AppHostDirectory, "..", ".data"));
        var runs = Path.Combine(_root, "run");
        if (Directory.Exists(runs))
            foreach (var ended in Directory.EnumerateDirectories(runs).Where(run => !Directory.Exists($"/proc/{Path.GetFileName(run).Split('-')[0]}")))
                Delete(ended);
        // A test process may run several applications.
        Run = Make(Path.Combine(runs, string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId}-{Interlocked.Increment(ref s_applications)}")));
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Delete(Run);
    }

    public string Run { get; }

    public string HomeOf(ContainerResource container) => container.Annotations.OfType<ContainerMountAnnotation>().FirstOrDefault() switch
    {
        { Type: ContainerMountType.Volume, Source: { } name } => Make(Path.Combine(_root, name)),
        { Type: ContainerMountType.BindMount, Source: { } folder } => folder,
        _ => Make(Path.Combine(Run, container.Name)),
    };

    static void Delete(string run)
    {
        try
        {
            Directory.Delete(run, recursive: true);
        }
        catch (IOException)
        {
            // A server is still writing, or another application is deleting the folder as well. The next run removes the rest.
        }
    }

    static string Make(string folder) =>
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;
}
