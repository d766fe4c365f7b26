using System.Buffers.Binary;
using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Aspire.Hosting.Dashboard;

/// <summary>The framing of gRPC over an HTTP/2 request: five bytes before each message, the status in trailers.</summary>
internal static class GrpcCall
{
    const int LargestRequest = 1 << 20;

    public static async Task<(Dictionary<int, string> Texts, Dictionary<int, ulong> Numbers)> ReadMessageAsync(this HttpContext call)
    {
        var head = new byte[5];
        await call.Request.Body.ReadExactlyAsync(head, call.RequestAborted);
        var length = BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(1));
        if (head[0] != 0 || length is < 0 or > LargestRequest) throw new InvalidDataException("Compressed or too large a message.");

        var body = new byte[length];
        await call.Request.Body.ReadExactlyAsync(body, call.RequestAborted);
        return ProtobufMessage.Read(body);
    }

    public static async Task WriteMessageAsync(this HttpContext call, ProtobufMessage message)
    {
        var body = message.ToArray();
        var framed = new byte[body.Length + 5];
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), body.Length);
        body.CopyTo(framed, 5);
        await call.Response.Body.WriteAsync(framed, call.RequestAborted);
        await call.Response.Body.FlushAsync(call.RequestAborted);
    }

    /// <param name="call">The request.</param>
    /// <param name="status">0 is success, 12 unimplemented, 13 internal, 16 unauthenticated.</param>
    /// <param name="problem">What went wrong.</param>
    public static async Task EndAsync(this HttpContext call, int status, string? problem = null)
    {
        // An error before any message is told in the headers.
        Action<string, string> add = call.Response.HasStarted || status == 0
            ? (name, value) => call.Response.AppendTrailer(name, value) : (name, value) => call.Response.Headers[name] = value;
        add("grpc-status", status.ToString(CultureInfo.InvariantCulture));
        if (problem is not null) add("grpc-message", Uri.EscapeDataString(problem));

        await call.Response.CompleteAsync();
    }
}
