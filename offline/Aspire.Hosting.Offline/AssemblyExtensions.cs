using System.Reflection;

namespace Aspire.Hosting;

internal static class AssemblyExtensions
{
    /// <summary>What the build wrote into an assembly.</summary>
    public static string? FindMetadata(this Assembly? assembly, string key) =>
        assembly?.GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(a => string.Equals(a.Key, key, StringComparison.OrdinalIgnoreCase))?.Value;
}
