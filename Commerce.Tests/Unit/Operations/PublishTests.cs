using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Commerce.Tests.Unit.Operations;

/// <summary>The published compose file.</summary>
public sealed partial class PublishTests
{
    static readonly string Generated = Path.Combine(Repository.Root, "infra", "ec2-compose", "generated");

    [Fact]
    public async Task What_is_in_the_repository_is_what_the_AppHost_publishes()
    {
        var published = await PublishAsync();

        foreach (var (ours, theirs) in new[] { ("docker-compose.yaml", "docker-compose.yaml"), (".env.example", ".env") })
            Assert.True(
                await File.ReadAllTextAsync(Path.Combine(Generated, ours), TestContext.Current.CancellationToken) == published[theirs],
                $"infra/ec2-compose/generated/{ours} is stale: ./commerce publish writes it anew.");
    }

    [Fact]
    public async Task An_external_server_takes_the_place_of_its_container()
    {
        var file = (await PublishAsync("--ConnectionStrings:commerce=external", "--ConnectionStrings:redis=external", "--ConnectionStrings:kafka=external"))["docker-compose.yaml"];

        var services = Services(file);
        Assert.DoesNotContain(services.Keys, name => name is "mysql" or "redis" or "kafka");
        Assert.Contains("api", services.Keys);
        Assert.DoesNotContain("external", services["api"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_service_is_limited_restarted_and_without_privileges_and_has_no_secret()
    {
        var file = await File.ReadAllTextAsync(Path.Combine(Generated, "docker-compose.yaml"), TestContext.Current.CancellationToken);
        var services = Services(file);
        var memory = 0;
        foreach (var (name, text) in services)
        {
            Assert.Contains("no-new-privileges:true", text, StringComparison.Ordinal);
            Assert.Contains("max-size", text, StringComparison.Ordinal);
            Assert.Matches("image: \"(\\$\\{[A-Z_]+_IMAGE.*|[a-z./-]+:[a-z]?[0-9][0-9.]*)\"", text);
            var once = name is "schema" or "proxy-volumes";
            Assert.Contains(once ? "restart: \"no\"" : "restart: \"unless-stopped\"", text, StringComparison.Ordinal);
            // The collector's image has neither a shell nor a program for a health check.
            if (!once && name != "otel-collector") Assert.Contains("healthcheck:", text, StringComparison.Ordinal);
            var limit = int.Parse(Memory().Match(text).Groups[1].Value, CultureInfo.InvariantCulture);
            var replicas = Replicas().Match(text) is { Success: true } found ? int.Parse(found.Groups[1].Value, CultureInfo.InvariantCulture) : 1;
            if (!once && !text.Contains("profiles:", StringComparison.Ordinal)) memory += limit * replicas;
            if (name != "proxy" && name != "grafana") Assert.DoesNotContain("ports:", text, StringComparison.Ordinal);
        }

        Assert.Equal(2944, memory);
        Assert.DoesNotMatch("(?i)password=(?!\\$\\$\\(</run/secrets/)", file);
        Assert.DoesNotContain("ClientSecret", file, StringComparison.Ordinal);
        Assert.Contains("- \"0.0.0.0:443:443\"", services["proxy"], StringComparison.Ordinal);
    }

    static async Task<Dictionary<string, string>> PublishAsync(params string[] arguments)
    {
        var folder = Directory.CreateTempSubdirectory("publish");
        try
        {
            var program = Path.Combine(AppContext.BaseDirectory.Replace("Commerce.Tests", "Commerce.AppHost", StringComparison.Ordinal), "Commerce.AppHost");
            using var process = Process.Start(new ProcessStartInfo(program,
                ["--operation", "publish", "--step", "publish", "--output-path", folder.FullName, .. arguments])
            {
                RedirectStandardOutput = true,
                WorkingDirectory = Path.Combine(Repository.Root, "Commerce.AppHost"),
            })!;
            var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.DoesNotContain("fail:", output, StringComparison.Ordinal);
            var files = new Dictionary<string, string>();
            foreach (var file in folder.EnumerateFiles()) files[file.Name] = await File.ReadAllTextAsync(file.FullName, TestContext.Current.CancellationToken);
            Assert.True(files.ContainsKey("docker-compose.yaml"), output);
            return files;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>The lines of each service.</summary>
    static Dictionary<string, string> Services(string file)
    {
        var services = file[(file.IndexOf("services:\n", StringComparison.Ordinal) + "services:\n".Length)..file.IndexOf("\nnetworks:", StringComparison.Ordinal)];
        var names = Name().Matches(services).ToList();
        return names.Select((m, i) => (m.Groups[1].Value, Text: services[m.Index..(i + 1 < names.Count ? names[i + 1].Index : services.Length)])).ToDictionary(s => s.Value, s => s.Text);
    }

    [GeneratedRegex(@"^  ([a-z-]+):$", RegexOptions.Multiline)]
    private static partial Regex Name();

    [GeneratedRegex("""memory: "(\d+)M""")]
    private static partial Regex Memory();

    [GeneratedRegex(@"replicas: (\d+)")]
    private static partial Regex Replicas();
}
