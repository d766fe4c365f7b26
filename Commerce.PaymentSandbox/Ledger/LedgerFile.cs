using System.Text.Json;
using Commerce.PaymentSandbox.Partner;
using Commerce.PaymentSandbox.PayWindow;
using Microsoft.Extensions.Options;

namespace Commerce.PaymentSandbox.Ledger;

/// <summary>
/// Keeps the ledger in a file, so that it lives as long as the shop's database. The first line is the start of the ledger. Every
/// other line is the state of a payment, and the last line of a payment counts. Without a path in
/// <see cref="SandboxOptions.LedgerFile"/> nothing is written.
/// </summary>
sealed partial class LedgerFile : IDisposable
{
    readonly Lock _lock = new();
    readonly StreamWriter? _writer;

    /// <summary>Reads the file.</summary>
    /// <exception cref="IOException">The file is unusable, or another process uses it.</exception>
    public LedgerFile(IOptions<SandboxOptions> options, TimeProvider clock, ILogger<LedgerFile> logger)
    {
        Since = clock.GetUtcNow().UtcDateTime;
        if (options.Value.LedgerFile is not { Length: > 0 } path) return;
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        // The file is locked until the end, because two processes would overwrite each other's lines. On Linux only None excludes another
        // writer.
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        Kept = Read(file, logger);
        _writer = Continue(file);
    }

    /// <summary>The start of the ledger. Earlier payments are missing.</summary>
    public DateTime Since { get; private set; }

    /// <summary>The payments in the file.</summary>
    public IReadOnlyList<KeptPayment> Kept { get; } = [];

    /// <summary>
    /// Appends the state of a payment. Returns when the operating system has the line, which then survives a crash of the process, but
    /// not a power loss.
    /// </summary>
    public void Write(Payment payment)
    {
        if (_writer is null) return;
        // The state is read inside the lock, so that the last line has the newest state.
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
                // The process ended while it was writing this line, so nobody was told about this state.
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

        // The unfinished line is ended, so that the next line starts after it.
        file.Position = file.Length - 1;
        if (file.ReadByte() != '\n') writer.WriteLine();
        return writer;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Skipped an unreadable line of {File}")]
    static partial void LogUnreadable(ILogger logger, string file);
}

/// <summary>A payment in the file.</summary>
/// <param name="OrderTold">The order that is reported to the merchant. A fault may have changed it.</param>
sealed record KeptPayment(
    string Id, PayOrder Order, DateTimeOffset AuthorizedAt, DateTimeOffset ExpiresAt, long Captured, long Cancelled, string OrderTold, int ApplyCalls,
    IReadOnlyList<Entry> Entries);
