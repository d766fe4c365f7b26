using Commerce.Core.Payments;

namespace Commerce.Tests;

/// <summary>The payment sandbox: users in the payment window, faults, and the ledger.</summary>
public sealed class Sandbox(HttpClient client) : IDisposable
{
    public const string ClientId = "commerce";
    public const string ClientSecret = "a-secret-that-only-the-tests-know";
    public const string ChainId = "commerce-chain";

    /// <summary>The client, for calls that <see cref="PaymentGateway"/> does not make.</summary>
    public HttpClient Client => client;

    /// <summary>The section <c>Payments:Gateway</c> for a gateway at this address.</summary>
    public static Dictionary<string, string?> Configuration(Uri address) => new()
    {
        ["Payments:Gateway:BaseAddress"] = address.AbsoluteUri,
        ["Payments:Gateway:PayWindowUrl"] = new Uri(address, "/pay").AbsoluteUri,
        ["Payments:Gateway:ClientId"] = ClientId,
        ["Payments:Gateway:ClientSecret"] = ClientSecret,
        ["Payments:Gateway:ChainId"] = ChainId,
        ["Payments:Gateway:Sandbox"] = "true",
    };

    /// <summary>Authorises a payment in the window, without capturing it. Returns the gateway's id of the payment.</summary>
    /// <param name="fault">A fault for this payment only.</param>
    /// <param name="lifetimeMs">How long the payment can be captured. Null means 10 min.</param>
    public async Task<string> PayAsync(string orderId, long amount, string userKey = "user", SandboxFault? fault = null, int? lifetimeMs = null)
    {
        using var answer = await client.PostAsJsonAsync("/pay", new
        {
            merchantPayKey = orderId, totalPayAmount = amount, merchantUserKey = userKey, productName = "Something", fault, lifetimeMs,
        });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<PayAnswer>())!.PaymentId;
    }

    /// <summary>Refunds an order at the gateway itself, as in its console or by a charge-back.</summary>
    public async Task GiveBackAsync(string orderId, long amount)
    {
        var payment = (await LedgerAsync(orderId)).Single(p => p.Captured > p.Cancelled);
        using var answer = await client.PostAsJsonAsync($"/sandbox/payments/{payment.PaymentId}/cancel", new { amount });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>Sets the active faults for all calls. Disposing of the result removes them.</summary>
    public async Task<IAsyncDisposable> WithFaultsAsync(params SandboxFault[] faults)
    {
        using var answer = await client.PutAsJsonAsync("/sandbox/faults", faults);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return new Clearing(this);
    }

    /// <summary>Removes the faults for all calls.</summary>
    public async Task ClearFaultsAsync()
    {
        using var answer = await client.DeleteAsync("/sandbox/faults");
        answer.EnsureSuccessStatusCode();
    }

    /// <summary>The payments of an order, oldest first.</summary>
    public async Task<IReadOnlyList<SandboxPayment>> LedgerAsync(string orderId) =>
        (await client.GetFromJsonAsync<List<SandboxPayment>>($"/sandbox/ledger?merchantPayKey={Uri.EscapeDataString(orderId)}"))!;

    /// <summary>All payments, oldest first.</summary>
    public async Task<IReadOnlyList<SandboxPayment>> LedgerAsync() => (await client.GetFromJsonAsync<List<SandboxPayment>>("/sandbox/ledger"))!;

    /// <summary>Returns the orders with at least one capture.</summary>
    public async Task<IReadOnlyList<SandboxOrder>> SummaryAsync()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/sandbox/ledger/summary")
        {
            Headers = { { "X-Naver-Client-Id", ClientId }, { "X-Naver-Client-Secret", ClientSecret }, { "X-NaverPay-Chain-Id", ChainId } },
        };
        using var answer = await client.SendAsync(request);
        return (await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<List<SandboxOrder>>())!;
    }

    /// <inheritdoc/>
    public void Dispose() => client.Dispose();

    sealed record PayAnswer(string PaymentId);

    sealed class Clearing(Sandbox sandbox) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await sandbox.ClearFaultsAsync();
    }
}

/// <summary>A fault of calls to the gateway.</summary>
/// <param name="Kind"> delay, hang, drop, status5xx, malformed, empty (not processed but for delay), approveThenHang, …Drop, …5xx,
/// …Malformed, …Empty (processed), wrongAmount, wrongOrder, code. </param>
/// <param name="Operation">apply, history or cancel. Null means all.</param>
/// <param name="Count">The number of affected calls. Null means all.</param>
/// <param name="DelayMs">Extra processing time.</param>
/// <param name="Code">The response code, for the kind code.</param>
/// <param name="Probability">The share of affected calls.</param>
/// <param name="Seed">Makes the random choice repeatable.</param>
public sealed record SandboxFault(
    string Kind, string? Operation = null, int? Count = null, int DelayMs = 0, string? Code = null, double Probability = 1, int? Seed = null);

/// <summary>A payment in the gateway's ledger. Amounts are in whole KRW.</summary>
/// <param name="State">AUTHORIZED, PROCESSING, CAPTURED, PARTIALLY_CANCELLED, CANCELLED or EXPIRED.</param>
/// <param name="ApplyCalls">Approval calls, including those that a fault swallowed.</param>
public sealed record SandboxPayment(
    string PaymentId, string MerchantPayKey, string MerchantUserKey, long Amount, long Captured, long Cancelled, string State, int ApplyCalls);

/// <summary>The captures of an order. Amounts are in whole KRW.</summary>
/// <param name="NetCaptures">The number of payments with a remaining captured amount. It is never more than one.</param>
public sealed record SandboxOrder(string MerchantPayKey, int Captures, int NetCaptures, long Captured, long Cancelled);
