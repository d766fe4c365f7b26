using StackExchange.Redis;

namespace Commerce.Core.Live;

/// <summary>The number of 5xx responses of all replicas, in Redis.</summary>
public sealed class ServerErrors(IConnectionMultiplexer connection)
{
    const string Key = "{live}:errors";

    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    readonly IDatabase _redis = connection.GetDatabase();

    /// <summary>Adds responses of this replica.</summary>
    public Task AddAsync(long count) => _redis.StringIncrementAsync(Key, count).WaitAsync(Deadline);

    /// <summary>Returns the number of responses so far.</summary>
    public async Task<long> CountAsync() => (long)await _redis.StringGetAsync(Key).WaitAsync(Deadline);
}
