using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Commerce.Core.Payments;

/// <summary>All captures of an order at the gateway.</summary>
/// <param name="NetCaptures">Payments of which something is still captured.</param>
/// <param name="Captured">Whole KRW.</param>
/// <param name="Cancelled">Whole KRW.</param>
public sealed record GatewayOrder(string MerchantPayKey, int NetCaptures, long Captured, long Cancelled);

/// <summary>What a gateway has captured.</summary>
/// <param name="Since">What happened before is not in its ledger; null where it does not say.</param>
/// <param name="Orders">The orders for which money was captured, once at least.</param>
public sealed record GatewaySummary(DateTime? Since, IReadOnlyList<GatewayOrder> Orders);

/// <summary>Where the gateway says the money is, for the audit.</summary>
public interface IGatewayLedger
{
    /// <summary>All that was captured; null where the gateway does not tell.</summary>
    /// <exception cref="HttpRequestException">The gateway is out of reach.</exception>
    Task<GatewaySummary?> SummarizeAsync(CancellationToken cancellationToken);
}

/// <summary>The sandbox tells it where its switches are on; a real gateway does not.</summary>
sealed class SandboxLedger(IHttpClientFactory clients, IOptions<PaymentGatewayOptions> options, IHostEnvironment environment) : IGatewayLedger
{
    static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    public async Task<GatewaySummary?> SummarizeAsync(CancellationToken cancellationToken)
    {
        if (!options.Value.Sandbox && !environment.IsDevelopment()) return null;
        using var client = clients.CreateClient(nameof(PaymentGateway));
        client.Timeout = Timeout;
        using var answer = await client.GetAsync("/sandbox/ledger/summary", HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (answer.StatusCode is HttpStatusCode.NotFound) return null;
        await using var json = await answer.EnsureSuccessStatusCode().Content.ReadAsStreamAsync(cancellationToken);
        var orders = await JsonSerializer.DeserializeAsync(json, GatewayLedgerJson.Default.IReadOnlyListGatewayOrder, cancellationToken);
        return new(ReadSince(answer), orders!);
    }

    static DateTime? ReadSince(HttpResponseMessage answer) =>
        answer.Headers.TryGetValues("Ledger-Since", out var values)
        && DateTime.TryParse(values.First(), CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal, out var since) ? since : null;
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(IReadOnlyList<GatewayOrder>))]
sealed partial class GatewayLedgerJson : JsonSerializerContext;
