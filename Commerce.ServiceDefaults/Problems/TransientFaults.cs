using System.Data.Common;
using System.Net.Sockets;
using Confluent.Kafka;
using MySqlConnector;
using Polly.CircuitBreaker;
using Polly.Timeout;
using StackExchange.Redis;

namespace Commerce.ServiceDefaults;

/// <summary>
/// Tells the faults of MySQL, Redis, Kafka and called services from those of the code: whatever their clients throw is theirs, unless it is one of the few
/// errors that say that what was asked for is wrong. What is a message's own fault is another question (<see cref="MessageFaults"/>).
/// </summary>
public static class TransientFaults
{
    // Of a command that is wrong in itself. Every other error of Redis has its cause there: it starts, fails over, is full, does not let us in any more …
    static readonly string[] RedisMistakes = ["WRONGTYPE", "ERR syntax", "ERR unknown", "ERR wrong number", "ERR value is not", "ERR Error compiling script", "ERR user_script"];

    /// <summary>Whether <paramref name="exception"/> says that something outside of this process failed, so that the same work may succeed later.</summary>
    public static bool IsTransient(Exception exception)
    {
        for (var e = exception; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case RedisServerException when RedisMistakes.Any(mistake => e.Message.StartsWith(mistake, StringComparison.OrdinalIgnoreCase)):
                case DbException db when MySqlErrors.IsOfStatement(db):
                    return false;
                case RedisException or RedisCommandException or DbException or MySqlProtocolException or KafkaException or HttpRequestException or BrokenCircuitException or TimeoutRejectedException:
                case TimeoutException or SocketException or IOException:
                    return true;
            }
        }

        return false;
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
