using System.Text;
using System.Xml.Linq;

namespace Commerce.Tests.Load;

/// <summary>The folder <c>jmeter/</c> of this repository.</summary>
static class JMeterFolder
{
    /// <summary>Plans that put load on the shop: those with thresholds.</summary>
    public static readonly string[] Plans = ["checkout", "coupon-rush", "event-opening", "mixed-day"];

    public static string Root { get; } = FindRoot();

    public static string Folder { get; } = Path.Combine(Root, "jmeter");

    /// <summary>All plans and steps, by path.</summary>
    public static IReadOnlyDictionary<string, XDocument> Files { get; } =
        Directory.EnumerateFiles(Folder, "*.jmx", SearchOption.AllDirectories).ToDictionary(f => Path.GetRelativePath(Folder, f), f => XDocument.Load(f));

    public static string Read(string name) => File.ReadAllText(Path.Combine(Folder, name), Encoding.UTF8);

    /// <summary>A property of an element; empty if it is missing.</summary>
    public static string Property(this XElement element, string name) =>
        element.Elements().FirstOrDefault(p => (string?)p.Attribute("name") == name)?.Value ?? "";

    /// <summary>The children of an element: JMeter writes them after it.</summary>
    public static IEnumerable<XElement> Below(this XElement element) => element.ElementsAfterSelf().First().Elements().Where(e => e.Name != "hashTree");

    static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Commerce.sln"))) folder = folder.Parent!;
        return folder.FullName;
    }
}
