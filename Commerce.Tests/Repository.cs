namespace Commerce.Tests;

/// <summary>The files of this repository.</summary>
static class Repository
{
    /// <summary>The folder with the solution.</summary>
    public static string Root { get; } = Find();

    /// <summary>Returns the path of a built program of the solution, in the configuration of the tests.</summary>
    public static string Program(string name) => Path.Combine(Root, "artifacts", "bin", name, Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)), name);

    static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Commerce.sln"))) return folder.FullName;
        throw new DirectoryNotFoundException("The tests run within the repository.");
    }
}
