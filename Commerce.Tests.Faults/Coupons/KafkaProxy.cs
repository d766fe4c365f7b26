using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Commerce.Tests.Faults.Coupons;

/// <summary>
/// Stands between a client and the only broker, request by request and answer by answer. The broker tells its clients its own address in its
/// answers; there it is replaced by the proxy's, so that they stay.
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

    /// <param name="broker">HOST:PORT.</param>
    public KafkaProxy(string broker)
    {
        _broker = IPEndPoint.Parse(broker);
        _listener.Start();
        var port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        Address = string.Create(CultureInfo.InvariantCulture, $"{_broker.Address}:{port}");
        _itsAddress = Advertised(_broker.Port);
        _ourAddress = Advertised(port);
        _running.Add(AcceptAsync());

        // Host and port as they stand one behind the other in the answers.
        byte[] Advertised(int port)
        {
            var bytes = new byte[4];
            BinaryPrimitives.WriteInt32BigEndian(bytes, port);
            return [.. Encoding.ASCII.GetBytes(_broker.Address.ToString()), .. bytes];
        }
    }

    /// <summary>HOST:PORT for the client.</summary>
    public string Address { get; }

    /// <summary>How many acknowledgements were lost.</summary>
    public int Lost => Volatile.Read(ref _lost);

    /// <summary>The broker's next <paramref name="count"/> answers to produce requests do not arrive: the connection breaks before.</summary>
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
            // Disposed of.
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
                    // Length, API, its version, correlation id.
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
            // The client sees its connection end, as it would without us.
        }

        await closing.CancelAsync();
        client.Dispose();
    }

    /// <summary>Hands on one frame after the other; ends with the connection, or at the frame that <paramref name="pass"/> holds back.</summary>
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
            // Either side is gone.
        }
    }
}
