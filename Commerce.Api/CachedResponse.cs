using System.Collections.Concurrent;
using Commerce.Api.Events;
using Commerce.Core;

namespace Commerce.Api;

/// <summary>
/// The pages of a list, which are the same for every caller. A replica creates each page at most once a second, so a crowd costs MySQL
/// and Redis as much as one reader. Unlike in the framework's output cache, no other parameter, header or token creates another copy.
/// Cancelling one caller does not cancel the shared work.
/// </summary>
sealed class CachedResponse<T>
{
    /// <summary>The query parameter with the cursor of the next page.</summary>
    const string Parameter = "cursor";

    /// <summary>The maximum number of cached later pages. A client could invent cursors.</summary>
    const int MaxLaterPages = 100;

    static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);

    readonly TimeProvider _clock;
    readonly SharedValue<(byte[] Body, string? Next)> _first;
    readonly ConcurrentDictionary<string, SharedValue<(byte[] Body, string? Next)>> _later = new(StringComparer.Ordinal);

    public CachedResponse(EventFeed feed, TimeProvider clock)
    {
        (_clock, _first) = (clock, new(MaxAge, clock));
        // A client that receives an opening reads the lists at once. It must not get their previous state.
        feed.Adding += () =>
        {
            _first.Forget();
            _later.Clear();
        };
    }

    /// <summary>Returns the response, which is at most one second old.</summary>
    /// <param name="cursor">Null for the first page.</param>
    public async Task<PageResult<T>> GetAsync(string? cursor, Func<Task<Page<T>>> load, CancellationToken cancellationToken)
    {
        var (body, next) = await (cursor is null ? _first : FindLater(cursor)).GetAsync(async () =>
        {
            var page = await load();
            return (page.Serialize(), page.Next);
        }).WaitAsync(cancellationToken);
        return new(body, next, Parameter);
    }

    SharedValue<(byte[] Body, string? Next)> FindLater(string cursor)
    {
        if (_later.Count > MaxLaterPages) _later.Clear();
        return _later.GetOrAdd(cursor, _ => new(MaxAge, _clock));
    }
}
