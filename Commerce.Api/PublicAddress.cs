using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.AspNetCore.HostFiltering;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using IPNetwork = System.Net.IPNetwork;

namespace Commerce.Api;

/// <summary>
/// The public address of the Api. Configuration section <c>Http</c>. The setting <c>AllowedHosts</c> limits the accepted hosts.
/// </summary>
sealed class HttpOptions : IValidatableObject
{
    public const string Section = "Http";

    /// <summary>
    /// The public address of the shop, for example <c>https://shop.example/</c>. The payment window returns to it. It is required outside
    /// Development. In Development the host of the request is used.
    /// </summary>
    public Uri? PublicUrl { get; set; }

    /// <summary>
    /// Trusted proxies, by address (<c>10.0.0.5</c>) or network (<c>10.0.0.0/8</c>). <c>X-Forwarded-For</c>, <c>X-Forwarded-Proto</c> and
    /// <c>X-Forwarded-Host</c> from other senders are ignored.
    /// </summary>
    public IList<string> KnownProxies { get; } = [];

    /// <summary>The number of trusted proxies that a request passes: 1 to 10.</summary>
    [Range(1, 10)]
    public int ProxiesInLine { get; set; } = 1;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (PublicUrl is not null && PublicUrl is not { IsAbsoluteUri: true, Scheme: "http" or "https", UserInfo: "", Query: "", Fragment: "" })
            yield return new($"{Section}:{nameof(PublicUrl)} is an absolute address without query and fragment, for example https://shop.example/.");
        foreach (var proxy in KnownProxies.Where(p => !IPNetwork.TryParse(p, out _) && !IPAddress.TryParse(p, out _)))
            yield return new($"{Section}:{nameof(KnownProxies)}: {proxy} is no address (10.0.0.5) and no network (10.0.0.0/8).");
    }
}

/// <summary>The public address of the shop.</summary>
sealed class PublicAddress(IOptions<HttpOptions> options)
{
    readonly Uri? _configured = options.Value.PublicUrl is { } url ? new(url.AbsoluteUri.TrimEnd('/') + "/") : null;

    /// <summary>The configured address, or in Development the address of this request.</summary>
    public Uri For(HttpRequest request) => _configured ?? new Uri($"{request.Scheme}://{request.Host}/");
}

/// <summary>Accepted hosts and trusted proxies.</summary>
static class PublicAddressExtensions
{
    const string AllowedHosts = "AllowedHosts";
    const string AnyHost = "*";

    static readonly ProblemType InvalidHost = new(400, "invalid-host", "The Host header is missing, malformed, or not a host of this server.");

    public static WebApplicationBuilder AddPublicAddress(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<HttpOptions>().BindConfiguration(HttpOptions.Section).ValidateDataAnnotations()
            .Validate(
                http => http.PublicUrl is not null || builder.Environment.IsDevelopment(),
                $"Give {HttpOptions.Section}:{nameof(HttpOptions.PublicUrl)}, the address under which browsers find the shop. (Environment: {builder.Environment.EnvironmentName}.)")
            .ValidateOnStart();
        builder.Services.AddSingleton<PublicAddress>();
        // The framework's filter is disabled, because it responds without problem details and runs before the proxy's host is known. The
        // filter below replaces it.
        builder.Services.PostConfigure<HostFilteringOptions>(filter => filter.AllowedHosts = [AnyHost]);
        // This runs after other configuration, because ASPNETCORE_FORWARDEDHEADERS_ENABLED would trust every sender.
        builder.Services.AddOptions<ForwardedHeadersOptions>().PostConfigure<IOptions<HttpOptions>>((forwarded, http) =>
        {
            forwarded.KnownProxies.Clear();
            forwarded.KnownIPNetworks.Clear();
            foreach (var proxy in http.Value.KnownProxies)
            {
                if (IPAddress.TryParse(proxy, out var address)) forwarded.KnownProxies.Add(address);
                else forwarded.KnownIPNetworks.Add(IPNetwork.Parse(proxy));
            }

            // Without a known proxy the framework would trust every sender.
            forwarded.ForwardedHeaders = http.Value.KnownProxies.Count > 0
                ? ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto | ForwardedHeaders.XForwardedHost
                : ForwardedHeaders.None;
            forwarded.ForwardLimit = http.Value.ProxiesInLine;
        });
        return builder;
    }

    /// <summary>
    /// Applies forwarded headers of trusted proxies, and then rejects a missing, malformed or unknown host with 400. It must come first,
    /// because links are built from the host.
    /// </summary>
    public static void UsePublicAddress(this WebApplication app)
    {
        app.UseForwardedHeaders();
        var hosts = (app.Configuration[AllowedHosts] ?? AnyHost).Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        IList<StringSegment>? allowed = hosts.Contains(AnyHost) ? null : [.. hosts.Select(h => new StringSegment(h))];
        // Nearly all requests have the same host as the previous one.
        string? good = null;
        app.Use((context, next) =>
        {
            var host = context.Request.Host;
            if (!host.HasValue || host.Value != Volatile.Read(ref good))
            {
                if (!IsUsable(host) || (allowed is not null && !HostString.MatchesAny(host.Value, allowed))) return InvalidHost.ToResult().ExecuteAsync(context);
                Volatile.Write(ref good, host.Value);
            }

            return next(context);
        });
    }

    static bool IsUsable(HostString host) =>
        host.HasValue && Uri.TryCreate($"http://{host.Value}/", UriKind.Absolute, out var address) && address.PathAndQuery == "/" && address.UserInfo.Length == 0
        && Uri.CheckHostName(address.Host) != UriHostNameType.Unknown;
}
