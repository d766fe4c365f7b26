using Commerce.ServiceDefaults;

namespace Commerce.Core.Messaging;

/// <summary>
/// Handles a batch in which some messages may fail for a reason of their own. Each message has as many tries as the policy says, in company or alone,
/// and is given up only after a last try alone. A batch that fails is divided, and so is each part that fails again, into just so many parts that the
/// last try finds every message alone: of 4,000 messages with five tries one bad message costs 33 transactions, not 4,000.
/// </summary>
static class BatchRetry
{
    /// <summary>Handles messages 0 to <paramref name="count"/> - 1, in their order.</summary>
    /// <param name="handle">Handles so many messages from this one on; throws where one of them fails.</param>
    /// <param name="giveUp">Told of a message that has failed its last try.</param>
    /// <param name="onFailure">Told of each failure that is followed by another try: the number of the try, and why it failed.</param>
    public static Task RunAsync(
        int count, RetryPolicy retries, Func<int, int, Task> handle, Func<int, Exception, Task> giveUp, Action<int, Exception> onFailure,
        TimeProvider clock, CancellationToken stop)
    {
        // A message whose first try is its last is alone from the beginning.
        return retries.Attempts == 1 ? DivideAsync(0, count, 1) : TryAsync(0, count, 1);

        async Task TryAsync(int first, int length, int attempt)
        {
            for (; ; attempt++)
            {
                Exception failure;
                try
                {
                    await handle(first, length);
                    return;
                }
                catch (Exception e) when (!stop.IsCancellationRequested)
                {
                    failure = e;
                }

                if (attempt == retries.Attempts)
                {
                    await giveUp(first, failure);
                    return;
                }

                onFailure(attempt, failure);
                await Task.Delay(retries.Delay(attempt), clock, stop);
                if (length == 1) continue;
                await DivideAsync(first, length, attempt + 1);
                return;
            }
        }

        async Task DivideAsync(int first, int length, int attempt)
        {
            var left = retries.Attempts - attempt + 1;
            var part = left == 1 ? 1 : (int)Math.Ceiling(length / Math.Ceiling(Math.Pow(length, 1.0 / left) - 1e-9));
            for (var i = 0; i < length; i += part) await TryAsync(first + i, Math.Min(part, length - i), attempt);
        }
    }
}
