using System.Text.Json;
using Commerce.PaymentSandbox.Partner;
using Commerce.PaymentSandbox.PayWindow;
using Microsoft.Extensions.Options;

namespace Commerce.PaymentSandbox.Ledger;

/// <summary>
/// Keeps the ledger in a file, so that it lives as long as the database of the shop that it is compared with. The first line says since when it is kept; each other
/// is a payment as it was then, and the last one of a payment counts. Without a path in <see cref="SandboxOptions.LedgerFile"/> nothing is kept.
/// </summary>
sealed partial class LedgerFile : IDisposable
{
    readonly Lock _lock = new();
    readonly StreamWriter? _writer;

    /// <summary>Reads what is kept.</summary>
    /// <exception cref="IOException">The file cannot be used, or another process uses it.</exception>
    public LedgerFile(IOptions<SandboxOptions> options, TimeProvider clock, ILogger<LedgerFile> logger)
    {
        Since = clock.GetUtcNow().UtcDateTime;
        if (options.Value.LedgerFile is not { Length: > 0 } path) return;
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        // Held to the end: two processes would overwrite each other's lines. On Linux only None keeps another writer out.
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        Kept = Read(file, logger);
        _writer = Continue(file);
    }

    /// <summary>What happened before is not in this ledger.</summary>
    public DateTime Since { get; private set; }

    /// <summary>The payments that were kept.</summary>
    public IReadOnlyList<KeptPayment> Kept { get; } = [];

    /// <summary>Returns when the operating system has it: it survives the end of this process, and not a power cut.</summary>
    public void Write(Payment payment)
    {
        if (_writer is null) return;
        // As it is now, not as it was before somebody else wrote it.
        lock (_lock) _writer.WriteLine(JsonSerializer.Serialize(payment.Keep(), SandboxJson.Default.KeptPayment));
    }

    public void Dispose() => _writer?.Dispose();

    List<KeptPayment> Read(FileStream file, ILogger logger)
    {
        var kept = new Dictionary<string, KeptPayment>();
        using var reader = new StreamReader(file, leaveOpen: true);
        if (reader.ReadLine() is { } first)
        {
            if (DateTimeOffset.TryParse(first, System.Globalization.CultureInfo.InvariantCulture, out var since)) Since = since.UtcDateTime;
            else LogUnreadable(logger, file.Name);
        }

        while (reader.ReadLine() is { } line)
        {
            try
            {
                if (JsonSerializer.Deserialize(line, SandboxJson.Default.KeptPayment) is { } payment) kept[payment.Id] = payment;
            }
            catch (JsonException)
            {
                // The process ended in the middle of it: nobody was told of what it says.
                LogUnreadable(logger, file.Name);
            }
        }

        return [.. kept.Values];
    }

    StreamWriter Continue(FileStream file)
    {
        var writer = new StreamWriter(file) { AutoFlush = true };
        if (file.Length == 0)
        {
            writer.WriteLine(Since.ToString("O"));
            return writer;
        }

        // Behind a line that was not finished a new one begins.
        file.Position = file.Length - 1;
        if (file.ReadByte() != '\n') writer.WriteLine();
        return writer;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Skipped an unreadable line of {File}")]
    static partial void LogUnreadable(ILogger logger, string file);
}

/// <summary>A payment as it stands in the file.</summary>
/// <param name="OrderTold">The order that the merchant is told of; a fault may have changed it.</param>
sealed record KeptPayment(
    string Id, PayOrder Order, DateTimeOffset AuthorizedAt, DateTimeOffset ExpiresAt, long Captured, long Cancelled, string OrderTold, int ApplyCalls,
    IReadOnlyList<Entry> Entries);
