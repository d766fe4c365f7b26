using System.Security.Cryptography;
using System.Text;
using StackExchange.Redis;

namespace Commerce.Core.Redis;

/// <summary>One embedded Lua script, called by its hash, with a deadline, and sent again where the server does not know it.</summary>
public sealed class RedisScript
{
    readonly string _text;
    readonly byte[] _hash;

    RedisScript(string text) => (_text, _hash) = (text, Hash(text));

    /// <summary>The script in the file <paramref name="path"/>, for instance <c>Coupons/issue.lua</c>.</summary>
    public static RedisScript Load(string path) => new(EmbeddedText.Read(path));

    /// <summary>The text of the script, for those who measure it alone.</summary>
    public string Text => _text;

    /// <summary>
    /// Runs the script. After <paramref name="deadline"/> a <see cref="TimeoutException"/> is thrown; the script may have run nevertheless,
    /// so what it does must be safe to meet again.
    /// </summary>
    public async Task<RedisResult> RunAsync(IDatabase redis, RedisKey[] keys, RedisValue[] arguments, TimeSpan deadline)
    {
        try
        {
            return await redis.ScriptEvaluateAsync(_hash, keys, arguments).WaitAsync(deadline);
        }
        catch (RedisServerException e) when (e.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal))
        {
            // The server was restarted or its scripts were flushed. It did not run, so sending it again is safe.
            return await redis.ScriptEvaluateAsync(_text, keys, arguments, CommandFlags.NoScriptCache).WaitAsync(deadline);
        }
    }

    // Redis names scripts by SHA-1; nothing is protected by it.
#pragma warning disable CA5350
    static byte[] Hash(string text) => SHA1.HashData(Encoding.UTF8.GetBytes(text));
#pragma warning restore CA5350
}
