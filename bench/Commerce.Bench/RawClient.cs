using System.Net.Sockets;
using System.Text;

namespace Commerce.Bench;

/// <summary>
/// One connection that sends prepared requests and parses as little of the responses as possible, so that it costs little.
/// </summary>
sealed class RawClient : IDisposable
{
    readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    readonly byte[] _buffer = new byte[4096];

    public static async Task<RawClient> ConnectAsync(Uri url)
    {
        var client = new RawClient();
        await client._socket.ConnectAsync(url.Host, url.Port);
        return client;
    }

    public static byte[] Post(Uri url, string token) => Encoding.ASCII.GetBytes(
        $"POST {url.AbsolutePath} HTTP/1.1\r\nHost: {url.Authority}\r\nContent-Length: 0\r\nAuthorization: Bearer {token}\r\n\r\n");

    /// <summary>Sends one request and returns the status of its response.</summary>
    public async Task<int> SendAsync(byte[] request)
    {
        await _socket.SendAsync(request);
        for (var length = 0; ;)
        {
            var read = await _socket.ReceiveAsync(_buffer.AsMemory(length));
            if (read == 0) throw new IOException("The connection was closed.");
            length += read;
            if (IsWhole(_buffer.AsSpan(0, length))) return int.Parse(_buffer.AsSpan(9, 3), System.Globalization.CultureInfo.InvariantCulture);
        }
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>Whether a response is complete. The responses are chunked, or small with a length.</summary>
    static bool IsWhole(ReadOnlySpan<byte> answer)
    {
        var head = answer.IndexOf("\r\n\r\n"u8);
        if (head < 0) return false;
        var at = answer.IndexOf("Content-Length: "u8);
        if (at < 0 || at > head) return answer.EndsWith("0\r\n\r\n"u8);
        var digits = answer[(at + 16)..];
        return answer.Length >= head + 4 + int.Parse(digits[..digits.IndexOf((byte)'\r')], System.Globalization.CultureInfo.InvariantCulture);
    }
}
