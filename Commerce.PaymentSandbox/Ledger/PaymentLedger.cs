using System.Collections.Concurrent;
using System.Security.Cryptography;
using Commerce.PaymentSandbox.Faults;
using Commerce.PaymentSandbox.Partner;
using Commerce.PaymentSandbox.PayWindow;
using Microsoft.Extensions.Options;

namespace Commerce.PaymentSandbox.Ledger;

/// <summary>All payments, in memory and, if one is configured, in a file.</summary>
sealed class PaymentLedger(TimeProvider clock, LedgerFile file, IOptions<SandboxOptions> options)
{
    const int TenDigits = 10;

    readonly ConcurrentDictionary<string, Payment> _payments = new(file.Kept.Select(k => KeyValuePair.Create(k.Id, new Payment(k))));

    public IEnumerable<Payment> All => _payments.Select(p => p.Value);

    public IEnumerable<Entry> AllEntries => All.SelectMany(p => p.Entries);

    public Payment? Find(string id) => _payments.GetValueOrDefault(id);

    public IEnumerable<Entry> EntriesOf(string id) => Find(id)?.Entries ?? [];

    /// <summary>Records that the user authorised a payment. Nothing is captured yet.</summary>
    public Payment Authorize(PayOrder order)
    {
        var now = clock.GetUtcNow();
        var lifetime = order.LifetimeMs is { } ms ? TimeSpan.FromMilliseconds(ms) : options.Value.PaymentLifetime;
        while (true)
        {
            var id = $"{KoreanTime.Date(now)}NP{RandomNumberGenerator.GetString("0123456789", TenDigits)}";
            var payment = new Payment(id, order, now, now + lifetime);
            if (!_payments.TryAdd(id, payment)) continue;
            file.Write(payment);
            return payment;
        }
    }

    /// <summary>Counts an approval call, whatever its outcome.</summary>
    public void CountApply(Payment payment)
    {
        payment.CountApply();
        file.Write(payment);
    }

    /// <summary>Captures a payment. Runs to its end even if the caller disconnects.</summary>
    public async Task<PartnerAnswer> ApplyAsync(Payment payment, Fault? fault)
    {
        if (payment.Begin(clock.GetUtcNow()) is { } refusal) return PartnerAnswer.Of(refusal);
        await WaitAsync(fault);
        var entry = payment.Capture(clock.GetUtcNow(), fault?.Kind);
        file.Write(payment);
        return PartnerAnswer.Success(new ApplyBody(payment.Id, entry), SandboxJson.Default.AnswerApplyBody);
    }

    public PartnerAnswer Cancel(Payment payment, long amount, long? expectedRest)
    {
        var (entry, rest, refusal) = payment.Cancel(amount, expectedRest, clock.GetUtcNow());
        if (entry is not null) file.Write(payment);
        return entry is null ? PartnerAnswer.Of(refusal) : PartnerAnswer.Success(
            new CancelBody(payment.Id, entry.PayHistId, "CARD", amount, rest, 0, 0, entry.AdmissionYmdt, rest), SandboxJson.Default.AnswerCancelBody);
    }

    /// <summary>Waits for the extra processing time of a fault.</summary>
    public Task WaitAsync(Fault? fault) =>
        fault is { DelayMs: > 0 } ? Task.Delay(TimeSpan.FromMilliseconds(fault.DelayMs), clock) : Task.CompletedTask;

    public IEnumerable<PaymentView> Views(string? merchantPayKey)
    {
        var now = clock.GetUtcNow();
        return All.Select(p => p.View(now))
            .Where(v => merchantPayKey is null || v.MerchantPayKey == merchantPayKey)
            .OrderBy(v => v.AuthorizedAt);
    }

    /// <summary>Lists the orders with at least one capture.</summary>
    public IEnumerable<OrderSummary> Summarize() => Views(null)
        .Where(v => v.Captured > 0)
        .GroupBy(v => v.MerchantPayKey)
        .Select(g => new OrderSummary(
            g.Key, g.Count(), g.Count(v => v.Captured > v.Cancelled), g.Sum(v => v.Captured), g.Sum(v => v.Cancelled)));
}
