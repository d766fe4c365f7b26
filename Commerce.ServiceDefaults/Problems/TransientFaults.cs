using Confluent.Kafka;
using Polly.CircuitBreaker;
using Polly.Timeout;
using StackExchange.Redis;

namespace Commerce.ServiceDefaults;

/// <summary>Tells the faults of MySQL, Redis, Kafka and called services from those of the code.</summary>
public static class TransientFaults
{
    // What Redis answers while it starts, fails over, is full or cannot write; any other error of it is a mistake of the caller.
    static readonly string[] RedisRefusals =
        ["LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY", "OOM", "MISCONF", "NOREPLICAS"];

    /// <summary>Whether <paramref name="exception"/> says that something outside of this process was away, so that the same work may succeed later.</summary>
    public static bool IsTransient(Exception exception)
    {
        for (var e = exception; e is not null; e = e.InnerException)
        {
            if (e is RedisConnectionException or KafkaException or HttpRequestException or BrokenCircuitException or TimeoutRejectedException)
                return true;
            if (e is RedisServerException && RedisRefusals.Any(refusal => e.Message.StartsWith(refusal, StringComparison.Ordinal)))
                return true;
        }
        return MySqlErrors.IsTransient(exception);
    }

    /// <summary>Runs work that something else repeats or repairs later. A transient fault is passed to <paramref name="onFault"/> and ends the work.</summary>
    public static Task TryAsync(Func<Task> work, Action<Exception>? onFault = null) => TryAsync(async () =>
    {
        await work();
        return true;
    }, false, onFault);

    /// <summary>The result of the work; <paramref name="otherwise"/> after a transient fault.</summary>
    public static async Task<T> TryAsync<T>(Func<Task<T>> work, T otherwise, Action<Exception>? onFault = null)
    {
        try
        {
            return await work();
        }
        catch (Exception e) when (IsTransient(e))
        {
            onFault?.Invoke(e);
            return otherwise;
        }
    }
}
