using Microsoft.Extensions.FileProviders;

namespace Commerce.ServiceDefaults;

/// <summary>
/// Reads configuration from secret files. Environment variables are less safe, because anyone who can inspect the container can read
/// them.
/// </summary>
static class SecretFiles
{
    const string Directory = "Secrets:Directory";

    /// <summary>
    /// Reads the folder in <c>Secrets:Directory</c>, such as <c>/run/secrets</c>. It has one file per key, named like the environment
    /// variable (<c>ConnectionStrings__commerce</c>). Secret files override all other sources. Does nothing if no folder is configured.
    /// </summary>
    /// <exception cref="DirectoryNotFoundException">The configured folder does not exist.</exception>
    public static void AddSecretFiles(this IHostApplicationBuilder builder)
    {
        if (builder.Configuration[Directory] is not { Length: > 0 } directory) return;
        builder.Configuration.AddKeyPerFile(source =>
        {
            source.FileProvider = new PhysicalFileProvider(directory);
            source.ReloadOnChange = false;
        });
    }
}
