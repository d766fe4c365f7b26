using Commerce.Core.Payments;

namespace Commerce.Tests;

/// <summary>Users in the pay window, faults of the payment gateway, and the ledger that tells where the money is.</summary>
public sealed class Sandbox(HttpClient client) : IDisposable
{
    public const string ClientId = "commerce";
    public const string ClientSecret = "a-secret-that-only-the-tests-know";
    public const string ChainId = "commerce-chain";

    /// <summary>For calls that <see cref="PaymentGateway"/> does not make.</summary>
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

    /// <summary>A user pays in the window; nothing is captured yet. Returns the gateway's id of the payment.</summary>
    /// <param name="fault">What goes wrong with this payment only.</param>
    /// <param name="lifetimeMs">How long it can be captured; 10 min when null.</param>
    public async Task<string> PayAsync(string orderId, long amount, string userKey = "user", SandboxFault? fault = null, int? lifetimeMs = null)
    {
        using var answer = await client.PostAsJsonAsync("/pay", new
        {
            merchantPayKey = orderId, totalPayAmount = amount, merchantUserKey = userKey, productName = "Something", fault, lifetimeMs,
        });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<PayAnswer>())!.PaymentId;
    }

    /// <summary>Money of an order goes back at the gateway itself, as in its console or by a charge-back.</summary>
    public async Task GiveBackAsync(string orderId, long amount)
    {
        var payment = (await LedgerAsync(orderId)).Single(p => p.Captured > p.Cancelled);
        using var answer = await client.PostAsJsonAsync($"/sandbox/payments/{payment.PaymentId}/cancel", new { amount });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>These faults, and no others, hit everybody until they are used up; dispose of the answer to end them.</summary>
    public async Task<IAsyncDisposable> WithFaultsAsync(params SandboxFault[] faults)
    {
        using var answer = await client.PutAsJsonAsync("/sandbox/faults", faults);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return new Clearing(this);
    }

    /// <summary>Ends the faults that hit everybody.</summary>
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

    /// <summary>The orders for which money was captured, once at least.</summary>
    public async Task<IReadOnlyList<SandboxOrder>> SummaryAsync() => (await client.GetFromJsonAsync<List<SandboxOrder>>("/sandbox/ledger/summary"))!;

    /// <inheritdoc/>
    public void Dispose() => client.Dispose();

    sealed record PayAnswer(string PaymentId);

    sealed class Clearing(Sandbox sandbox) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await sandbox.ClearFaultsAsync();
    }
}

/// <summary>Something that goes wrong with calls to the gateway.</summary>
/// <param name="Kind">
/// delay, hang, drop, status5xx, malformed, empty (not processed but for delay), approveThenHang, …Drop, …5xx, …Malformed, …Empty (processed),
/// wrongAmount, wrongOrder, code.
/// </param>
/// <param name="Operation">apply, history or cancel; all when null.</param>
/// <param name="Count">How many calls are hit; all when null.</param>
/// <param name="DelayMs">The processing takes so much longer.</param>
/// <param name="Code">What is answered, for the kind code.</param>
/// <param name="Probability">The share of calls that are hit.</param>
/// <param name="Seed">Makes that share come out the same every time.</param>
public sealed record SandboxFault(
    string Kind, string? Operation = null, int? Count = null, int DelayMs = 0, string? Code = null, double Probability = 1, int? Seed = null);

/// <summary>A payment in the gateway's ledger; amounts in whole KRW.</summary>
/// <param name="State">AUTHORIZED, PROCESSING, CAPTURED, PARTIALLY_CANCELLED, CANCELLED or EXPIRED.</param>
/// <param name="ApplyCalls">Approvals asked for, those included that a fault swallowed.</param>
public sealed record SandboxPayment(
    string PaymentId, string MerchantPayKey, string MerchantUserKey, long Amount, long Captured, long Cancelled, string State, int ApplyCalls);

/// <summary>All captures of an order; amounts in whole KRW.</summary>
/// <param name="NetCaptures">Payments of which something is still captured: never more than one.</param>
public sealed record SandboxOrder(string MerchantPayKey, int Captures, int NetCaptures, long Captured, long Cancelled);
