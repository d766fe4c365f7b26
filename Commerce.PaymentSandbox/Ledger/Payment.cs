using Commerce.PaymentSandbox.Faults;
using Commerce.PaymentSandbox.Partner;
using Commerce.PaymentSandbox.PayWindow;

namespace Commerce.PaymentSandbox.Ledger;

/// <summary>A payment that a user authorised in the payment window.</summary>
sealed class Payment(string id, PayOrder order, DateTimeOffset authorizedAt, DateTimeOffset expiresAt)
{
    readonly Lock _lock = new();
    readonly List<Entry> _entries = [];

    /// <summary>Creates a payment from the file. Its faults ended with the process.</summary>
    public Payment(KeptPayment kept) : this(kept.Id, kept.Order with { Fault = null }, kept.AuthorizedAt, kept.ExpiresAt)
    {
        (_captured, _cancelled, _orderTold, _applyCalls) = (kept.Captured, kept.Cancelled, kept.OrderTold, kept.ApplyCalls);
        _entries.AddRange(kept.Entries);
    }

    readonly FaultSwitch? _fault = order.Fault is { } fault ? new(fault) : null;

    bool _processing;
    long _captured;
    long _cancelled;
    int _applyCalls;

    // The reported order. A fault can change it.
    string _orderTold = order.MerchantPayKey!;

    public string Id { get; } = id;

    public IReadOnlyList<Entry> Entries
    {
        get
        {
            lock (_lock) return [.. _entries];
        }
    }

    /// <summary>Returns the state of the payment for the file.</summary>
    public KeptPayment Keep()
    {
        lock (_lock) return new(Id, order, authorizedAt, expiresAt, _captured, _cancelled, _orderTold, _applyCalls, [.. _entries]);
    }

    public void CountApply() => Interlocked.Increment(ref _applyCalls);

    public Fault? TakeFault(Operation operation) => _fault?.Take(operation);

    /// <summary>
    /// Begins an approval. Returns null if it continues and ends with <see cref="Capture"/>, otherwise the response code.
    /// </summary>
    public string? Begin(DateTimeOffset now)
    {
        lock (_lock)
        {
            if (_entries.Count > 0) return "AlreadyComplete";
            if (_processing) return "AlreadyOnGoing";
            if (now >= expiresAt) return "TimeExpired";
            _processing = true;
            return null;
        }
    }

    /// <param name="falseFault">A fault that reports another amount or order.</param>
    public Entry Capture(DateTimeOffset now, FaultKind? falseFault)
    {
        lock (_lock)
        {
            _processing = false;
            _captured = order.TotalPayAmount + (falseFault is FaultKind.WrongAmount ? 1 : 0);
            if (falseFault is FaultKind.WrongOrder) _orderTold += "-other";
            return Add("01", _captured, now);
        }
    }

    /// <summary>Cancels an amount. Returns the entry, or the reason for the refusal.</summary>
    public (Entry? Entry, long Left, string Refusal) Cancel(long amount, long? expectedRest, DateTimeOffset now)
    {
        lock (_lock)
        {
            var rest = _captured - _cancelled - amount;
            if (_captured == 0) return (null, 0, "InvalidPaymentId");
            if (_cancelled == _captured) return (null, 0, "AlreadyCanceled");
            if (amount <= 0) return (null, 0, "Fail");
            if (rest < 0) return (null, 0, "OverRemainAmount");
            if (expectedRest is { } expected && expected != rest) return (null, 0, "RestAmountDiff");
            _cancelled += amount;
            return (Add(amount == _captured ? "03" : "04", amount, now), rest, "");
        }
    }

    public PaymentView View(DateTimeOffset now)
    {
        lock (_lock)
        {
            var state = _processing ? "PROCESSING"
                : _captured == 0 ? now >= expiresAt ? "EXPIRED" : "AUTHORIZED"
                : _cancelled == 0 ? "CAPTURED"
                : _cancelled == _captured ? "CANCELLED" : "PARTIALLY_CANCELLED";
            return new(
                Id, order.MerchantPayKey!, order.MerchantUserKey!, order.TotalPayAmount, _captured, _cancelled, state, _applyCalls, authorizedAt.UtcDateTime);
        }
    }

    Entry Add(string type, long amount, DateTimeOffset now)
    {
        var time = KoreanTime.Text(now);
        var entry = new Entry(
            Id, $"{KoreanTime.Date(now)}NP{Id[^10..]}{_entries.Count + 1:D3}", "sandbox", "Sandbox shop", _orderTold, order.MerchantUserKey!, type,
            time, time, "SUCCESS", amount, amount, 0, "CARD", order.ProductName!);
        _entries.Add(entry);
        return entry;
    }
}
