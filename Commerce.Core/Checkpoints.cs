using System.Diagnostics;

namespace Commerce.Core;

/// <summary>
/// Points between two steps at which a crash must lose nothing. Reaching one writes an event to the <see cref="DiagnosticListener"/>
/// <see cref="Source"/>. The product has no listener. The fault tests listen and end the process there.
/// </summary>
public static class Checkpoints
{
    /// <summary>The name of the listener.</summary>
    public const string Source = "Commerce.Checkpoints";

    /// <summary>The gate has accepted the request. Only Redis knows it.</summary>
    public const string AfterGate = "after-gate";

    /// <summary>The consumer's transaction is committed, its offset is not.</summary>
    public const string AfterCommit = "after-commit";

    /// <summary>The opening of an event is written, but not committed.</summary>
    public const string BeforeOpening = "before-opening";

    /// <summary>The opening is committed. The relay has not been woken.</summary>
    public const string AfterOpening = "after-opening";

    /// <summary>The gate holds the stock of an order that is not in the database yet.</summary>
    public const string AfterReserve = "after-reserve";

    /// <summary>The stock of paid orders is deducted in MySQL. The gate and Kafka do not know it yet.</summary>
    public const string AfterStock = "after-stock";

    /// <summary>The brokers have the messages of the outbox. The rows are not marked as sent.</summary>
    public const string AfterProduce = "after-produce";

    /// <summary>An order is pinned for its payment. The gateway has not been called.</summary>
    public const string BeforeApprove = "before-approve";

    /// <summary>The gateway has answered an approval. Nothing is committed yet.</summary>
    public const string AfterApprove = "after-approve";

    static readonly DiagnosticListener Listener = new(Source);

    /// <summary>Reports that this process has reached a point.</summary>
    public static void Reach(string point)
    {
        if (Listener.IsEnabled(point)) Listener.Write(point, null);
    }
}
