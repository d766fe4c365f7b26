using System.Reflection;

namespace Commerce.Core;

/// <summary>Reads the <c>.lua</c> and <c>.sql</c> files that are compiled into this assembly.</summary>
public static class EmbeddedText
{
    static readonly Assembly Here = typeof(EmbeddedText).Assembly;

    /// <summary>Returns the text of a file by its path in the project, for example <c>Coupons/issue.lua</c>.</summary>
    public static string Read(string path)
    {
        using var stream = Here.GetManifestResourceStream(NameOf(path))
            ?? throw new InvalidOperationException($"No embedded file {path}.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>Returns the files of a folder in the project as (file name, text), ordered by name.</summary>
    public static IReadOnlyList<(string Name, string Text)> ReadFolder(string folder)
    {
        var prefix = NameOf(folder) + ".";
        return [.. Here.GetManifestResourceNames()
            .Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(name => (name[prefix.Length..], Read(folder + "/" + name[prefix.Length..])))];
    }

    static string NameOf(string path) => "Commerce.Core." + path.Replace('/', '.');
}
