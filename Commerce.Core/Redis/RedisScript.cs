using System.Security.Cryptography;
using System.Text;
using StackExchange.Redis;

namespace Commerce.Core.Redis;

/// <summary>
/// An embedded Lua script. It is called by its hash with a deadline, and sent as text if the server does not know it.
/// </summary>
public sealed class RedisScript
{
    readonly string _text;
    readonly byte[] _hash;

    RedisScript(string text) => (_text, _hash) = (text, Hash(text));

    /// <summary>Loads the script in the file <paramref name="path"/>, such as <c>Coupons/issue.lua</c>.</summary>
    public static RedisScript Load(string path) => new(EmbeddedText.Read(path));

    /// <summary>The text of the script, for benchmarks.</summary>
    public string Text => _text;

    /// <summary>
    /// Runs the script. After <paramref name="deadline"/> a <see cref="TimeoutException"/> is thrown. The script may have run
    /// nevertheless, so its effect must be safe to repeat. A cluster's redirection is not followed, because the arguments contain the run
    /// id of one server. The client learns where the keys are, and the caller retries.
    /// </summary>
    public async Task<RedisResult> RunAsync(IDatabase redis, RedisKey[] keys, RedisValue[] arguments, TimeSpan deadline)
    {
        try
        {
            return await redis.ScriptEvaluateAsync(_hash, keys, arguments, CommandFlags.NoRedirect).WaitAsync(deadline);
        }
        catch (RedisServerException e) when (e.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal))
        {
            // The server was restarted or its scripts were flushed. The script did not run, so sending it again is safe.
            return await redis.ScriptEvaluateAsync(_text, keys, arguments, CommandFlags.NoScriptCache | CommandFlags.NoRedirect).WaitAsync(deadline);
        }
    }

    // Redis identifies scripts by SHA-1. It is not a security feature.
#pragma warning disable CA5350
    static byte[] Hash(string text) => SHA1.HashData(Encoding.UTF8.GetBytes(text));
#pragma warning restore CA5350
}
