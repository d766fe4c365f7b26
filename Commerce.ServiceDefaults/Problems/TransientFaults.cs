using System.Data.Common;
using System.Net.Sockets;
using Confluent.Kafka;
using MySqlConnector;
using Polly.CircuitBreaker;
using Polly.Timeout;
using StackExchange.Redis;

namespace Commerce.ServiceDefaults;

/// <summary>
/// Separates faults of MySQL, Redis, Kafka and called services from bugs. An exception of their clients is a transient fault unless
/// it means that the request was wrong. <see cref="MessageFaults"/> lists the failures that a message causes.
/// </summary>
public static class TransientFaults
{
    // Errors of a wrong command. Any other error is a state of the server: it is starting, failing over, full, or rejects the password.
    static readonly string[] RedisMistakes = ["WRONGTYPE", "ERR syntax", "ERR unknown", "ERR wrong number", "ERR value is not", "ERR Error compiling script", "ERR user_script"];

    /// <summary>
    /// Whether <paramref name="exception"/> means that something outside of this process failed, so that a retry may succeed.
    /// </summary>
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

    /// <summary>
    /// Runs work that is repeated or repaired elsewhere. A transient fault ends the work and is passed to <paramref name="onFault"/>.
    /// </summary>
    public static Task TryAsync(Func<Task> work, Action<Exception>? onFault = null) => TryAsync(async () =>
    {
        await work();
        return true;
    }, false, onFault);

    /// <summary>Returns the result of the work, or <paramref name="otherwise"/> after a transient fault.</summary>
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
