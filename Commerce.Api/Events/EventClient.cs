using System.Buffers;
using System.IO.Pipelines;

namespace Commerce.Api.Events;

/// <summary>
/// One open stream. It consists of a position in the feed and a connection. It writes on the caller's thread and has no timer, queue
/// or buffer. A slow client receives nothing more until it has read. The next write continues at its position.
/// </summary>
sealed class EventClient(EventFeed feed, HttpContext context, string userId, long[]? eventIds, long after, TimeProvider clock)
{
    /// <summary>The maximum number of events per write. It limits the data that the server buffers for one client.</summary>
    const int BatchSize = 64;

    static ReadOnlySpan<byte> HeartbeatLine => ":\n\n"u8;

    readonly PipeWriter _writer = context.Response.BodyWriter;
    readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // 0: idle. 1: a write is running.
    int _writing;
    long _after = after;
    long _pendingSince;
    volatile bool _pending;
    volatile byte[]? _finalFrame;

    /// <summary>The user of the stream.</summary>
    public string UserId => userId;

    /// <summary>Completes when the client is gone or must disconnect.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Ends the request.</summary>
    public void End() => _ended.TrySetResult();

    /// <summary>
    /// Writes all openings that the client does not have yet. A write that is already running continues until none is left.
    /// </summary>
    public void Flush()
    {
        if (Interlocked.CompareExchange(ref _writing, 1, 0) == 0) _ = WriteAsync(heartbeat: false);
    }

    /// <summary>Writes a heartbeat unless a write is running.</summary>
    public void SendHeartbeat()
    {
        if (Interlocked.CompareExchange(ref _writing, 1, 0) == 0) _ = WriteAsync(heartbeat: true);
    }

    /// <summary>Writes the final frame and ends the stream.</summary>
    public void Disconnect(byte[] finalFrame)
    {
        _finalFrame = finalFrame;
        Flush();
    }

    /// <summary>Whether the client has read nothing for longer than <paramref name="timeout"/>.</summary>
    public bool IsStalled(TimeSpan timeout) => _pending && clock.GetElapsedTime(Volatile.Read(ref _pendingSince)) > timeout;

    /// <summary>Aborts the connection.</summary>
    public void Drop()
    {
        try
        {
            context.Abort();
        }
        catch (ObjectDisposedException)
        {
            // The request has just ended.
        }
    }

    async Task WriteAsync(bool heartbeat)
    {
        try
        {
            while (true)
            {
                var any = heartbeat;
                if (heartbeat) _writer.Write(HeartbeatLine);
                heartbeat = false;
                any |= WriteFrames();
                if (!any && _finalFrame is { } finalFrame)
                {
                    _writer.Write(finalFrame);
                    await _writer.FlushAsync();
                    End();
                    return;
                }

                if (any && await FlushAsync())
                {
                    End();
                    return;
                }

                if (any) continue;
                Volatile.Write(ref _writing, 0);
                // An opening may have arrived after the last check. Its caller saw this running write and relies on it.
                Interlocked.MemoryBarrier();
                if ((feed.Last <= _after && _finalFrame is null) || Interlocked.CompareExchange(ref _writing, 1, 0) != 0) return;
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException or ObjectDisposedException)
        {
            // The client is gone.
            End();
        }
    }

    bool WriteFrames()
    {
        var any = false;
        for (var count = 0; count < BatchSize && _after < feed.Last; count++)
        {
            // The feed no longer has the next opening. The client reconnects and is served from the database.
            if (feed.Find(_after + 1) is not { } frame) throw new IOException("The client is too far behind.");
            _after++;
            if (eventIds is not null && !eventIds.Contains(frame.EventId)) continue;
            _writer.Write(frame.Bytes);
            any = true;
        }

        return any;
    }

    /// <summary>Flushes the response. Returns true if the client is gone.</summary>
    async ValueTask<bool> FlushAsync()
    {
        var flush = _writer.FlushAsync();
        if (flush.IsCompletedSuccessfully) return flush.GetAwaiter().GetResult() is { IsCompleted: true } or { IsCanceled: true };
        Volatile.Write(ref _pendingSince, clock.GetTimestamp());
        _pending = true;
        try
        {
            return await flush is { IsCompleted: true } or { IsCanceled: true };
        }
        finally
        {
            _pending = false;
        }
    }
}
