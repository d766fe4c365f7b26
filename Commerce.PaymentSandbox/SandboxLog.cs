namespace Commerce.PaymentSandbox;

/// <summary>The sandbox's log messages.</summary>
static partial class SandboxLog
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "NO MONEY MOVES HERE: this is the payment sandbox")]
    public static partial void Running(ILogger logger);
}
