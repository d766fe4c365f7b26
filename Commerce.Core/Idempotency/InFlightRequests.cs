using Commerce.Core.Redis;
using StackExchange.Redis;

namespace Commerce.Core.Idempotency;

/// <summary>
/// Tracks requests in progress by their key. An entry exists from before the request holds anything until it is certain that it
/// committed nothing. A request that is refused can thus learn that its own duplicate may hold the stock. The row of the key appears
/// too late for this: it commits with the duplicate, and the duplicate holds stock earlier. No promise depends on the entries,
/// because the database lets only one of two duplicates take effect.
/// </summary>
/// <remarks>
/// A refusal can still be wrong if Redis loses the entry, or if the duplicate takes longer than <see cref="MaxDuration"/>. The next
/// request with the key gets the duplicate's response.
/// </remarks>
public sealed class InFlightRequests(IConnectionMultiplexer connection)
{
    static readonly RedisScript Enter = RedisScript.Load("Idempotency/enter.lua");
    static readonly RedisScript Leave = RedisScript.Load("Idempotency/leave.lua");

    /// <summary>A request that has not ended after this time has died, or its outcome is unknown.</summary>
    static readonly TimeSpan MaxDuration = TimeSpan.FromSeconds(30);

    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    readonly IDatabase _redis = connection.GetDatabase();

    /// <summary>Adds a request. Returns true if a duplicate is in progress or has just committed.</summary>
    /// <param name="request">The unique id of the request, for <see cref="LeaveAsync"/>.</param>
    public async Task<bool> EnterAsync(byte[] scope, string request) =>
        (int)await Enter.RunAsync(_redis, [KeyOf(scope)], [request, (long)MaxDuration.TotalMilliseconds], Deadline) > 0;

    /// <summary>Removes a request that has committed nothing. Returns true if a duplicate is in progress or has just committed.</summary>
    public async Task<bool> LeaveAsync(byte[] scope, string request) => (int)await Leave.RunAsync(_redis, [KeyOf(scope)], [request], Deadline) > 0;

    static RedisKey KeyOf(byte[] scope) => "idempotency:" + Convert.ToHexStringLower(scope);
}
