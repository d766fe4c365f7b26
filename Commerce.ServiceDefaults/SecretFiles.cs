using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Hosting;

namespace Commerce.ServiceDefaults;

/// <summary>Configuration from files, for secrets: an environment variable is seen by everybody who may inspect the container.</summary>
static class SecretFiles
{
    const string Directory = "Secrets:Directory";

    /// <summary>
    /// Reads the folder that <c>Secrets:Directory</c> names, such as <c>/run/secrets</c>: one file per key, named like the environment variable
    /// (<c>ConnectionStrings__commerce</c>). It has the last word. Nothing where no folder is named.
    /// </summary>
    /// <exception cref="DirectoryNotFoundException">A folder is named that does not exist.</exception>
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
