using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Options;

namespace Commerce.Core.Payments;

/// <summary>The captures of an order at the gateway.</summary>
/// <param name="NetCaptures">The number of payments with a remaining captured amount.</param>
/// <param name="Captured">The captured amount in whole KRW.</param>
/// <param name="Cancelled">The cancelled amount in whole KRW.</param>
public sealed record GatewayOrder(string MerchantPayKey, int NetCaptures, long Captured, long Cancelled);

/// <summary>All captures of a gateway.</summary>
/// <param name="Since">The start of its ledger, or null if unknown. Earlier payments are missing.</param>
/// <param name="Orders">Orders with at least one capture.</param>
public sealed record GatewaySummary(DateTime? Since, IReadOnlyList<GatewayOrder> Orders);

/// <summary>Reads the gateway's ledger for the consistency check.</summary>
public interface IGatewayLedger
{
    /// <summary>Returns all captures, or null if the gateway does not show us its ledger.</summary>
    /// <exception cref="HttpRequestException">The gateway is unavailable.</exception>
    Task<GatewaySummary?> SummarizeAsync(CancellationToken cancellationToken);
}

/// <summary>
/// The ledger of the sandbox, which is available if its switches are on. A real gateway does not show us its ledger.
/// </summary>
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
