using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Commerce.Bench;

/// <summary>One figure. <paramref name="Met"/> is null if there is no target.</summary>
sealed record Figure(string What, string Value, string Target, bool? Met)
{
    /// <summary>Returns the median of several rounds.</summary>
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }
}

/// <summary>The figures of a run. Each is printed when it is added.</summary>
sealed class Figures
{
    public List<Figure> Measured { get; } = [];

    public List<Figure> Ceilings { get; } = [];

    public bool Missed => Measured.Any(f => f.Met == false);

    public static void Say(string text) => Console.WriteLine($"  {text}");

    public static string Rate(double perSecond, string unit) => string.Create(CultureInfo.InvariantCulture, $"{perSecond:N0} {unit}/s");

    public void Add(string what, string value, string target = "", bool? met = null)
    {
        Measured.Add(new(what, value, target, met));
        Say($"{what}: {value} {target}");
    }

    public void AtLeast(string what, double ratio, double target) =>
        Add(what, ratio.ToString("F2", CultureInfo.InvariantCulture), string.Create(CultureInfo.InvariantCulture, $"≥ {target:0.##}"), ratio >= target);

    public void AtMost(string what, double value, double target, string unit) =>
        Add(what, string.Create(CultureInfo.InvariantCulture, $"{value:F1} {unit}"), string.Create(CultureInfo.InvariantCulture, $"≤ {target:0.##} {unit}"), value <= target);

    public void Ceiling(string what, string value) => Ceilings.Add(new(what, value, "", null));

    public async Task WriteAsync(string name) =>
        await new Report(name, TimeProvider.System.GetUtcNow(), await Report.HardwareAsync(), Measured, Ceilings).WriteAsync("bench/results");
}

/// <summary>The figures of one run and its environment.</summary>
sealed record Report(string Name, DateTimeOffset At, string Hardware, IReadOnlyList<Figure> Figures, IReadOnlyList<Figure> Ceilings)
{
    public static async Task<string> HardwareAsync()
    {
        var cpu = (await File.ReadAllLinesAsync("/proc/cpuinfo")).First(l => l.StartsWith("model name", StringComparison.Ordinal)).Split(':')[1].Trim();
        return string.Create(CultureInfo.InvariantCulture,
            $"{Environment.ProcessorCount} cores of {cpu}, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30} GB, {Environment.OSVersion.VersionString}, .NET {Environment.Version}; everything, the load included, on one machine");
    }

    /// <summary>Writes NAME.md and NAME.json into the folder.</summary>
    public async Task WriteAsync(string folder)
    {
        Directory.CreateDirectory(folder);
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"# {Name}\n\n{At:yyyy-MM-dd HH:mm} UTC. {Hardware}.\nAgain: `./commerce bench {Name}`.\n");
        text.AppendLine("| measure | result | target | |\n| --- | --- | --- | --- |");
        foreach (var f in Figures) text.AppendLine(CultureInfo.InvariantCulture, $"| {f.What} | {f.Value} | {f.Target} | {f.Met switch { true => "met", false => "**missed**", null => "" }} |");
        if (Ceilings.Count > 0) text.AppendLine("\nCeilings, measured in the same run:\n\n| ceiling | result |\n| --- | --- |");
        foreach (var c in Ceilings) text.AppendLine(CultureInfo.InvariantCulture, $"| {c.What} | {c.Value} |");
        await File.WriteAllTextAsync(Path.Combine(folder, $"{Name}.md"), text.ToString());
        await File.WriteAllTextAsync(Path.Combine(folder, $"{Name}.json"), JsonSerializer.Serialize(this, ReportJson.Default.Report) + "\n");
        Console.WriteLine(text);
    }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, WriteIndented = true)]
[JsonSerializable(typeof(Report))]
sealed partial class ReportJson : JsonSerializerContext;
