using System.Diagnostics;

/// <summary>
/// Runs in the Api and in the Workers that the tests start (<c>DOTNET_STARTUP_HOOKS</c>), and kills the process at an armed
/// checkpoint. A file with the name of the checkpoint arms it once. The runtime requires this class name and no namespace. The class
/// may only use the framework.
/// </summary>
static class StartupHook
{
    /// <summary>The environment variable that names the folder of the files.</summary>
    public const string Folder = "COMMERCE_CRASH_POINTS";

    /// <summary>Called by the runtime before Main.</summary>
    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable(Folder) is { Length: > 0 } folder) DiagnosticListener.AllListeners.Subscribe(new Sources(folder));
    }

    sealed class Sources(string folder) : IObserver<DiagnosticListener>
    {
        public void OnNext(DiagnosticListener value)
        {
            if (value.Name == "Commerce.Checkpoints") value.Subscribe(new Points(folder));
        }

        public void OnCompleted()
        {
        }

        public void OnError(Exception error)
        {
        }
    }

    sealed class Points(string folder) : IObserver<KeyValuePair<string, object?>>
    {
        public void OnNext(KeyValuePair<string, object?> value)
        {
            var file = Path.Combine(folder, value.Key);
            if (!File.Exists(file)) return;
            try
            {
                // The process that moves the file dies. Other processes, including the next one that starts, live.
                File.Move(file, file + ".reached", overwrite: true);
            }
            catch (FileNotFoundException)
            {
                return;
            }

            Process.GetCurrentProcess().Kill();
        }

        public void OnCompleted()
        {
        }

        public void OnError(Exception error)
        {
        }
    }
}
