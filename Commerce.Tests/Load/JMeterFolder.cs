using System.Text;
using System.Xml.Linq;

namespace Commerce.Tests.Load;

/// <summary>The folder <c>jmeter/</c> of this repository.</summary>
static class JMeterFolder
{
    /// <summary>The plans that are a load on the shop: those with thresholds.</summary>
    public static readonly string[] Plans = ["checkout", "coupon-rush", "event-opening", "mixed-day"];

    public static string Root { get; } = FindRoot();

    public static string Folder { get; } = Path.Combine(Root, "jmeter");

    /// <summary>Every plan and every step, by its path below the folder.</summary>
    public static IReadOnlyDictionary<string, XDocument> Files { get; } =
        Directory.EnumerateFiles(Folder, "*.jmx", SearchOption.AllDirectories).ToDictionary(f => Path.GetRelativePath(Folder, f), f => XDocument.Load(f));

    public static string Read(string name) => File.ReadAllText(Path.Combine(Folder, name), Encoding.UTF8);

    /// <summary>A property of an element; empty where it has none of this name.</summary>
    public static string Property(this XElement element, string name) =>
        element.Elements().FirstOrDefault(p => (string?)p.Attribute("name") == name)?.Value ?? "";

    /// <summary>What stands below an element in the tree: JMeter writes it behind the element.</summary>
    public static IEnumerable<XElement> Below(this XElement element) => element.ElementsAfterSelf().First().Elements().Where(e => e.Name != "hashTree");

    static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Commerce.sln"))) folder = folder.Parent!;
        return folder.FullName;
    }
}
