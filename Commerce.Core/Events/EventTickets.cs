using System.Security.Cryptography;
using Commerce.Core.Redis;
using StackExchange.Redis;

namespace Commerce.Core.Events;

/// <summary>
/// Tickets for EventSource, which cannot send headers. A ticket opens one stream and expires soon, because URLs are logged.
/// </summary>
public sealed class EventTickets(IConnectionMultiplexer connection)
{
    static readonly RedisScript Redeem = RedisScript.Load("Events/redeem.lua");
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    const int Bytes = 24;

    readonly IDatabase _redis = connection.GetDatabase();

    /// <summary>How long a ticket is valid.</summary>
    public static TimeSpan Lifetime { get; } = TimeSpan.FromSeconds(30);

    /// <summary>Creates a ticket for this user.</summary>
    public async Task<string> IssueAsync(string userId)
    {
        var ticket = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(Bytes));
        await _redis.StringSetAsync(KeyOf(ticket), userId, Lifetime).WaitAsync(Deadline);
        return ticket;
    }

    /// <summary>Redeems a ticket and returns its user. Returns null if the ticket is invalid or used.</summary>
    public async Task<string?> RedeemAsync(string ticket)
    {
        if (!IsTicket(ticket)) return null;
        var user = (string?)await Redeem.RunAsync(_redis, [KeyOf(ticket)], [], Deadline);
        return user is { Length: > 0 } ? user : null;
    }

    /// <summary>Finds the user of a ticket without redeeming it.</summary>
    public async Task<string?> FindAsync(string ticket) => IsTicket(ticket) ? await _redis.StringGetAsync(KeyOf(ticket)).WaitAsync(Deadline) : default(string?);

    static bool IsTicket(string text) => text.Length == 2 * Bytes && text.All(char.IsAsciiHexDigitLower);

    static RedisKey KeyOf(string ticket) => $"{{ticket:{ticket}}}";
}
