using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Commerce.Tests.Faults.Coupons;

/// <summary>
/// A proxy between a client and the single broker, which forwards frame by frame. It replaces the broker's address in responses with
/// its own, so that clients stay connected to it.
/// </summary>
sealed class KafkaProxy : IAsyncDisposable
{
    const int Produce = 0;

    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _stopping = new();
    readonly ConcurrentBag<Task> _running = [];
    readonly IPEndPoint _broker;
    readonly byte[] _itsAddress;
    readonly byte[] _ourAddress;
    int _toLose;
    int _lost;

    /// <param name="broker">The address of the broker: HOST:PORT.</param>
    public KafkaProxy(string broker)
    {
        _broker = IPEndPoint.Parse(broker);
        _listener.Start();
        var port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        Address = string.Create(CultureInfo.InvariantCulture, $"{_broker.Address}:{port}");
        _itsAddress = Advertised(_broker.Port);
        _ourAddress = Advertised(port);
        _running.Add(AcceptAsync());

        // Host and port are adjacent in the responses.
        byte[] Advertised(int port)
        {
            var bytes = new byte[4];
            BinaryPrimitives.WriteInt32BigEndian(bytes, port);
            return [.. Encoding.ASCII.GetBytes(_broker.Address.ToString()), .. bytes];
        }
    }

    /// <summary>The address for the client: HOST:PORT.</summary>
    public string Address { get; }

    /// <summary>The number of lost acknowledgements.</summary>
    public int Lost => Volatile.Read(ref _lost);

    /// <summary>Drops the next <paramref name="count"/> produce responses of the broker and breaks the connection.</summary>
    public void LoseAcknowledgements(int count) => Volatile.Write(ref _toLose, count);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        await Task.WhenAll(_running);
        _stopping.Dispose();
    }

    async Task AcceptAsync()
    {
        try
        {
            while (true) _running.Add(ServeAsync(await _listener.AcceptSocketAsync(_stopping.Token)));
        }
        catch (OperationCanceledException)
        {
            // The proxy was disposed of.
        }
    }

    async Task ServeAsync(Socket client)
    {
        using var broker = new Socket(SocketType.Stream, ProtocolType.Tcp);
        using var closing = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        var produced = new ConcurrentDictionary<int, bool>();
        try
        {
            await broker.ConnectAsync(_broker, closing.Token);
            await Task.WhenAny(
                PumpAsync(client, broker, request =>
                {
                    // A request starts with length, API key, API version and correlation id.
                    if (BinaryPrimitives.ReadInt16BigEndian(request.AsSpan(4)) == Produce) produced[BinaryPrimitives.ReadInt32BigEndian(request.AsSpan(8))] = true;
                    return true;
                }, closing.Token),
                PumpAsync(broker, client, answer =>
                {
                    if (produced.TryRemove(BinaryPrimitives.ReadInt32BigEndian(answer.AsSpan(4)), out _) && Interlocked.Decrement(ref _toLose) >= 0)
                    {
                        Interlocked.Increment(ref _lost);
                        return false;
                    }

                    for (var at = answer.AsSpan().IndexOf(_itsAddress); at >= 0; at = answer.AsSpan().IndexOf(_itsAddress)) _ourAddress.CopyTo(answer, at);
                    return true;
                }, closing.Token));
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // The client sees that its connection ends, as without the proxy.
        }

        await closing.CancelAsync();
        client.Dispose();
    }

    /// <summary>Forwards frames until the connection ends, or until <paramref name="pass"/> rejects a frame.</summary>
    static async Task PumpAsync(Socket from, Socket to, Func<byte[], bool> pass, CancellationToken cancellationToken)
    {
        using var source = new NetworkStream(from);
        var length = new byte[4];
        try
        {
            while (true)
            {
                await source.ReadExactlyAsync(length, cancellationToken);
                var frame = new byte[4 + BinaryPrimitives.ReadInt32BigEndian(length)];
                length.CopyTo(frame, 0);
                await source.ReadExactlyAsync(frame.AsMemory(4), cancellationToken);
                if (!pass(frame)) return;
                await to.SendAsync(frame, cancellationToken);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One side has closed the connection.
        }
    }
}
