using Commerce.Api.Events;
using Commerce.Core;

namespace Commerce.Api;

/// <summary>
/// The first page of a list, which is the same for every caller. A replica creates it at most once a second, so a crowd costs MySQL
/// and Redis as much as one reader. Unlike in the framework's output cache, no parameter, header or token creates another copy.
/// Cancelling one caller does not cancel the shared work.
/// </summary>
sealed class CachedResponse<T>
{
    /// <summary>The query parameter with the cursor of the next page.</summary>
    const string Parameter = "cursor";

    static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);

    readonly SharedValue<(byte[] Body, string? Next)> _page;

    public CachedResponse(EventFeed feed, TimeProvider clock)
    {
        _page = new(MaxAge, clock);
        // A client that receives an opening reads the lists at once. It must not get their previous state.
        feed.Adding += _page.Forget;
    }

    /// <summary>Returns the response, which is at most one second old.</summary>
    public async Task<PageResult<T>> GetAsync(Func<Task<Page<T>>> load, CancellationToken cancellationToken)
    {
        var (body, next) = await _page.GetAsync(async () =>
        {
            var page = await load();
            return (page.Serialize(), page.Next);
        }).WaitAsync(cancellationToken);
        return new(body, next, Parameter);
    }
}
