using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Aspire.Hosting.Servers;

namespace Aspire.Hosting.Dcp;

/// <summary>
/// Aspire's engine: runs processes and TCP proxies, and ends them when this process ends, however it ends. Spoken to by its REST
/// interface, which has the style of Kubernetes.
/// </summary>
internal sealed partial class DcpClient(TimeProvider clock) : IDisposable
{
    public const string Executables = "executables";
    public const string Services = "services";
    const string ApiVersion = "usvc-dev.developer.microsoft.com/v1";
    const string MergePatch = "application/merge-patch+json";
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    HttpClient? _http;

    HttpClient Http => _http ?? throw new InvalidOperationException("The engine is not running.");

    /// <param name="folder">For the engine's own files; only this user may enter it, because the access token is in there.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task StartAsync(string folder, CancellationToken cancellationToken)
    {
        var kubeconfig = Path.Combine(folder, "kubeconfig");
        var start = new ProcessStartInfo(ServerPrograms.Engine)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList =
            {
                "start-apiserver", "--monitor", Environment.ProcessId.ToString(CultureInfo.InvariantCulture), "--detach",
                "--kubeconfig", kubeconfig, "--container-runtime", "docker",
            },
            Environment = { ["DCP_SESSION_FOLDER"] = folder },
        };

        // Every program inherits the engine's environment; these are the AppHost's own.
        foreach (var variable in (string[])["ASPNETCORE_URLS", "ASPNETCORE_ENVIRONMENT", "DOTNET_ENVIRONMENT", "DOTNET_LAUNCH_PROFILE", "ASPIRE_LOGLEVEL"])
            start.Environment.Remove(variable);

        using (var process = Process.Start(start)!)
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var errors = await process.StandardError.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            if (process.ExitCode != 0)
                throw new DistributedApplicationException($"The engine ended with exit code {process.ExitCode}: {await output}{errors}");
        }

        var access = await RepeatAsync("gave no access", async () => File.Exists(kubeconfig)
            && await File.ReadAllTextAsync(kubeconfig, cancellationToken) is var text && Field(text, "server") != ""
                && Field(text, "token") != ""
                ? text : null, cancellationToken);
        _http = Connect(access);
        await RepeatAsync("did not get ready", async () =>
        {
            using var answer = await Http.GetAsync("readyz", cancellationToken);
            return answer.IsSuccessStatusCode ? "" : null;
        }, cancellationToken);
    }

    /// <summary>Ends everything that the engine started, then the engine, and waits for that.</summary>
    public async Task StopAsync()
    {
        if (_http is null) return;

        try
        {
            await SendAsync(HttpMethod.Patch, "admin/execution", new JsonObject { ["status"] = "Stopping", ["shutdownResourceCleanup"] = "Full" }, MergePatch);
            await RepeatAsync("did not end", async () =>
            {
                await SendAsync(HttpMethod.Get, "admin/execution");
                return null;
            }, CancellationToken.None, ended: true);
        }
        catch (HttpRequestException)
        {
            // It is gone already.
        }
        finally
        {
            Dispose();
        }
    }

    public void Dispose()
    {
        _http?.Dispose();
        _http = null;
    }

    /// <param name="kind">A constant of this class.</param>
    /// <param name="name">Its name in the engine.</param>
    /// <param name="spec">What it is to be.</param>
    /// <param name="annotations">What templates and proxies refer to.</param>
    public Task CreateAsync(string kind, string name, JsonObject spec, JsonObject? annotations = null) =>
        SendAsync(HttpMethod.Post, $"apis/{ApiVersion}/{kind}", new JsonObject
        {
            ["apiVersion"] = ApiVersion,
            ["kind"] = kind == Services ? "Service" : "Executable",
            ["metadata"] = new JsonObject { ["name"] = name, ["annotations"] = annotations },
            ["spec"] = spec,
        });

    /// <returns>Null where there is none.</returns>
    public Task<JsonNode?> GetAsync(string kind, string name) => SendAsync(HttpMethod.Get, $"apis/{ApiVersion}/{kind}/{name}");

    /// <summary>
    /// Begins to stop a process; its state tells when it has ended. This cannot be taken back: delete it and make another.
    /// </summary>
    public Task StopExecutableAsync(string name) => SendAsync(
        HttpMethod.Patch, $"apis/{ApiVersion}/{Executables}/{name}", new JsonObject { ["spec"] = new JsonObject { ["stop"] = true } }, MergePatch);

    /// <summary>Stops and removes a process, and waits until its name is free.</summary>
    public async Task DeleteExecutableAsync(string name, CancellationToken cancellationToken)
    {
        await SendAsync(HttpMethod.Delete, $"apis/{ApiVersion}/{Executables}/{name}");
        await RepeatAsync($"did not remove '{name}'", async () => await GetAsync(Executables, name) is null ? "" : null, cancellationToken);
    }

    /// <summary>Everything there is, then every change, until the engine ends.</summary>
    public async IAsyncEnumerable<JsonNode> WatchAsync(string kind, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var line in LinesAsync($"apis/{ApiVersion}/{kind}?watch=true", cancellationToken))
        {
            if (JsonNode.Parse(line) is { } change && (string?)change["type"] != "DELETED") yield return change["object"]!;
        }
    }

    /// <summary>The output so far and as it comes, until the process ends. Each line begins with its time and a space.</summary>
    /// <param name="name">The executable.</param>
    /// <param name="source">stdout or stderr.</param>
    /// <param name="cancellationToken">Stops following.</param>
    public IAsyncEnumerable<string> LogsAsync(string name, string source, CancellationToken cancellationToken) =>
        LinesAsync($"apis/{ApiVersion}/{Executables}/{name}/log?follow=true&timestamps=true&source={source}", cancellationToken);

    static HttpClient Connect(string access)
    {
        var roots = new X509Certificate2Collection();
        roots.ImportFromPem(Encoding.UTF8.GetString(Convert.FromBase64String(Field(access, "certificate-authority-data"))));
        var handler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true, UseProxy = false };
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) =>
        {
            using var chain = new X509Chain
            {
                ChainPolicy = { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck },
            };
            chain.ChainPolicy.CustomTrustStore.AddRange(roots);
            return certificate is not null && chain.Build(X509CertificateLoader.LoadCertificate(certificate.GetRawCertData()));
        };
        return new HttpClient(handler)
        {
            BaseAddress = new Uri(Field(access, "server") + "/"),
            Timeout = Timeout.InfiniteTimeSpan,
            DefaultRequestHeaders = { Authorization = new("Bearer", Field(access, "token")) },
        };
    }

    static string Field(string kubeconfig, string key) =>
        KubeconfigField().Matches(kubeconfig).FirstOrDefault(m => m.Groups[1].Value == key)?.Groups[2].Value ?? "";

    [GeneratedRegex(@"^\s*([a-z-]+):\s*(\S+)\s*$", RegexOptions.Multiline)]
    private static partial Regex KubeconfigField();

    /// <summary>Tries until there is a result, or, where the end is waited for, until nobody answers.</summary>
    async Task<string> RepeatAsync(
        string problem, Func<Task<string?>> attempt, CancellationToken cancellationToken, bool ended = false)
    {
        for (var began = clock.GetTimestamp(); clock.GetElapsedTime(began) < Patience; await Task.Delay(TimeSpan.FromMilliseconds(50), clock, cancellationToken))
        {
            try
            {
                if (await attempt() is { } result) return result;
            }
            catch (HttpRequestException) when (!ended)
            {
                // It does not listen yet.
            }
        }

        throw new DistributedApplicationException($"The engine {problem} within {Patience.TotalSeconds} s.");
    }

    async IAsyncEnumerable<string> LinesAsync(string path, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        using var response = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        response.EnsureSuccessStatusCode();
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
            if (line.Length > 0) yield return line;
    }

    async Task<JsonNode?> SendAsync(HttpMethod method, string path, JsonNode? body = null, string type = "application/json")
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
        {
            // Not StringContent: a charset in the content type of a patch is refused.
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body.ToJsonString())) { Headers = { ContentType = new MediaTypeHeaderValue(type) } };
        }

        using var response = await Http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return response.StatusCode == HttpStatusCode.NotFound ? null
            : response.IsSuccessStatusCode ? (text.Length == 0 ? new JsonObject() : JsonNode.Parse(text))
            : throw new DistributedApplicationException($"The engine refused {method} {path}: {(int)response.StatusCode} {text}");
    }
}
