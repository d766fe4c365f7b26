using System.Diagnostics;

namespace Commerce.Core;

/// <summary>
/// Points between two steps that must both survive a crash. Reaching one writes an event of the <see cref="DiagnosticListener"/> <see cref="Source"/>.
/// Nothing in the product listens. The fault tests do, and end the process there.
/// </summary>
public static class Checkpoints
{
    /// <summary>The name of the listener.</summary>
    public const string Source = "Commerce.Checkpoints";

    /// <summary>The gate has accepted the request. Only Redis knows.</summary>
    public const string AfterGate = "after-gate";

    /// <summary>The consumer's transaction is committed. Its offset is not.</summary>
    public const string AfterCommit = "after-commit";

    /// <summary>Everything that opens an event is written. Nothing is committed.</summary>
    public const string BeforeOpening = "before-opening";

    /// <summary>The event is open in the database. The relay has not been woken.</summary>
    public const string AfterOpening = "after-opening";

    /// <summary>The gate holds the stock of an order that is not in the database yet.</summary>
    public const string AfterReserve = "after-reserve";

    /// <summary>The stock of paid orders is deducted. The gate and Kafka do not know.</summary>
    public const string AfterStock = "after-stock";

    /// <summary>The brokers have the messages of the outbox. Their rows are not marked.</summary>
    public const string AfterProduce = "after-produce";

    /// <summary>An order is pinned for its payment. The gateway has not been called.</summary>
    public const string BeforeApprove = "before-approve";

    /// <summary>The gateway has answered an approval. Nothing of it is committed.</summary>
    public const string AfterApprove = "after-approve";

    static readonly DiagnosticListener Listener = new(Source);

    /// <summary>Says that this process is at the point.</summary>
    public static void Reach(string point)
    {
        if (Listener.IsEnabled(point)) Listener.Write(point, null);
    }
}
