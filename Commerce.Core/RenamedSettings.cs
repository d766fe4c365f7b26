namespace Commerce.Core;

/// <summary>Renamed configuration keys. An old key is used if the new one is not set.</summary>
static class RenamedSettings
{
    static readonly (string Old, string New)[] Keys =
    [
        ("Events:RecoverEvery", "Events:RecoveryInterval"),
        ("Events:Stream:Most", "Events:Stream:MaxStreams"),
        ("Events:Stream:MostPerUser", "Events:Stream:MaxStreamsPerUser"),
        ("Events:Stream:Patience", "Events:Stream:ClientTimeout"),
        ("Events:Stream:Remembered", "Events:Stream:BufferedOpenings"),
        ("Ledger:CommandTimeout", "Database:CommandTimeout"),
        ("Limits:IssuesAtOnce", "Limits:MaxConcurrentIssues"),
        ("Orders:CouponPatience", "Orders:CouponWaitTimeout"),
        ("Orders:MostLines", "Orders:MaxLines"),
        ("Orders:MostPieces", "Orders:MaxQuantityPerProduct"),
        ("Outbox:RowsTogether", "Outbox:BatchSize"),
        ("Payments:ReadHistoryEvery", "Payments:HistoryInterval"),
        ("Payments:RefundAgainAfter", "Payments:RefundRetryDelay"),
        ("Retention:CouponFences", "Retention:RebuildBarriers"),
    ];

    /// <summary>Maps old keys to new ones. Call it before options are read.</summary>
    public static void AcceptRenamedSettings(this IHostApplicationBuilder builder)
    {
        var configuration = builder.Configuration;
        configuration.AddInMemoryCollection([.. Keys.Where(key => configuration[key.Old] is not null && configuration[key.New] is null)
            .Select(key => KeyValuePair.Create(key.New, configuration[key.Old]))]);
    }
}
