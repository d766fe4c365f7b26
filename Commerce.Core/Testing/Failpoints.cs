using System.Diagnostics;
using Microsoft.Extensions.Configuration;

namespace Commerce.Core.Testing;

/// <summary>
/// Places at which a fault test lets this process die by SIGKILL. Only where the configuration names a directory (no one but the tests
/// does): a file there with the name of the place arms it, once.
/// </summary>
public sealed class Failpoints(IConfiguration configuration)
{
    /// <summary>The gate accepted; nobody else knows.</summary>
    public const string AfterGate = "after-gate";

    /// <summary>The consumer's transaction is committed; its offset is not.</summary>
    public const string AfterCommit = "after-commit";

    /// <summary>All that opens an event is written; nothing is committed.</summary>
    public const string BeforeOpening = "before-opening";

    /// <summary>The event is open in the ledger; nobody was woken to tell.</summary>
    public const string AfterOpening = "after-opening";

    /// <summary>The gate holds the pieces of an order that is not in the ledger yet.</summary>
    public const string AfterReserve = "after-reserve";

    /// <summary>Paid orders are off the stock; the gate and Kafka do not know.</summary>
    public const string AfterStock = "after-stock";

    /// <summary>The brokers have the messages of the outbox; their rows are not marked.</summary>
    public const string AfterProduce = "after-produce";

    /// <summary>An order is pinned for its payment; the gateway was not asked yet.</summary>
    public const string BeforeApprove = "before-approve";

    /// <summary>The gateway has answered an approval; nothing of that is committed.</summary>
    public const string AfterApprove = "after-approve";

    readonly string? _directory = configuration["Failpoints:Directory"];

    /// <summary>Ends the process where the place is armed.</summary>
    public void Reach(string place)
    {
        if (_directory is null) return;
        var file = Path.Combine(_directory, place);
        if (!File.Exists(file)) return;
        try
        {
            // Who moves it away dies; the others, and the process that follows, live.
            File.Move(file, file + ".reached", overwrite: true);
        }
        catch (FileNotFoundException)
        {
            return;
        }

        Process.GetCurrentProcess().Kill();
    }
}
