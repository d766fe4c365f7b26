namespace Aspire.StackExchange.Redis;

/// <summary>Settings of <c>AddRedisClient</c>, configuration section <c>Aspire:StackExchange:Redis</c>.</summary>
public sealed class StackExchangeRedisSettings : IConnectionSettings
{
    /// <summary>HOST:PORT, optionally followed by comma-separated options of StackExchange.Redis.</summary>
    public string? ConnectionString { get; set; }

    public bool DisableHealthChecks { get; set; }

    /// <summary>Without effect here: this version of the client has no tracing.</summary>
    public bool DisableTracing { get; set; }

    /// <summary>True: connects when the multiplexer is first asked for. False: when the host starts.</summary>
    public bool DisableAutoActivation { get; set; } = true;
}
