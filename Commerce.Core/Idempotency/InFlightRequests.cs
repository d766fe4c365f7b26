using Commerce.Core.Redis;
using StackExchange.Redis;

namespace Commerce.Core.Idempotency;

/// <summary>
/// Which requests with the same key are being worked on, from before they hold anything until it is known that they committed nothing. So one that is
/// refused learns that its own duplicate may be the one who has what it was refused. The key's row in the database cannot tell: it comes when the duplicate
/// commits, and the duplicate holds pieces before. Nothing is promised by this: the database alone lets one of two take effect.
/// </summary>
/// <remarks>
/// What remains: where Redis loses this between the duplicate's beginning and the refusal, or the duplicate takes longer than <see cref="MaxDuration"/>, a refusal may
/// be told although the duplicate succeeds. The next request with the key gets the duplicate's answer.
/// </remarks>
public sealed class InFlightRequests(IConnectionMultiplexer connection)
{
    static readonly RedisScript Enter = RedisScript.Load("Idempotency/enter.lua");
    static readonly RedisScript Leave = RedisScript.Load("Idempotency/leave.lua");

    /// <summary>A request that has not ended by then has died, or nobody knows what became of it.</summary>
    static readonly TimeSpan MaxDuration = TimeSpan.FromSeconds(30);

    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    readonly IDatabase _redis = connection.GetDatabase();

    /// <summary>A request begins. True where a duplicate of it is under way, or has committed something a moment ago.</summary>
    /// <param name="request">A name for it, for <see cref="LeaveAsync"/>.</param>
    public async Task<bool> EnterAsync(byte[] scope, string request) =>
        (int)await Enter.RunAsync(_redis, [KeyOf(scope)], [request, (long)MaxDuration.TotalMilliseconds], Deadline) > 0;

    /// <summary>A request has ended and has committed nothing. True where a duplicate of it is under way, or has committed something a moment ago.</summary>
    public async Task<bool> LeaveAsync(byte[] scope, string request) => (int)await Leave.RunAsync(_redis, [KeyOf(scope)], [request], Deadline) > 0;

    static RedisKey KeyOf(byte[] scope) => "idempotency:" + Convert.ToHexStringLower(scope);
}
