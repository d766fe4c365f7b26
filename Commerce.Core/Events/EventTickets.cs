using System.Security.Cryptography;
using Commerce.Core.Redis;
using StackExchange.Redis;

namespace Commerce.Core.Events;

/// <summary>Tickets in place of a token, for browsers' EventSource, which sends no headers: one stream each, and short-lived, because URLs are logged.</summary>
public sealed class EventTickets(IConnectionMultiplexer connection)
{
    static readonly RedisScript Redeem = RedisScript.Load("Events/redeem.lua");
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    const int Bytes = 24;

    readonly IDatabase _redis = connection.GetDatabase();

    /// <summary>How long a ticket waits to be used.</summary>
    public static TimeSpan Lifetime { get; } = TimeSpan.FromSeconds(30);

    /// <summary>A ticket for this user.</summary>
    public async Task<string> IssueAsync(string userId)
    {
        var ticket = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(Bytes));
        await _redis.StringSetAsync(KeyOf(ticket), userId, Lifetime).WaitAsync(Deadline);
        return ticket;
    }

    /// <summary>Whose ticket it is; null where it is none, or was used.</summary>
    public async Task<string?> RedeemAsync(string ticket)
    {
        if (!IsTicket(ticket)) return null;
        var user = (string?)await Redeem.RunAsync(_redis, [KeyOf(ticket)], [], Deadline);
        return user is { Length: > 0 } ? user : null;
    }

    /// <summary>The same, but the ticket can still be used.</summary>
    public async Task<string?> FindAsync(string ticket) => IsTicket(ticket) ? await _redis.StringGetAsync(KeyOf(ticket)).WaitAsync(Deadline) : default(string?);

    static bool IsTicket(string text) => text.Length == 2 * Bytes && text.All(char.IsAsciiHexDigitLower);

    static RedisKey KeyOf(string ticket) => $"{{ticket:{ticket}}}";
}
