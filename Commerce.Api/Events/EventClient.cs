using System.Buffers;
using System.IO.Pipelines;

namespace Commerce.Api.Events;

/// <summary>
/// One open stream. It writes when it is told to, on the thread of whoever tells it; where the client is slow to take it, the next time goes on from
/// where it stopped. It has no timer, queue or buffer of its own.
/// </summary>
sealed class EventClient(EventFeed feed, HttpContext context, string userId, long[]? eventIds, long after, TimeProvider clock)
{
    /// <summary>Written at once at most, so that what waits in the server for one client is bounded.</summary>
    const int BatchSize = 64;

    static ReadOnlySpan<byte> HeartbeatLine => ":\n\n"u8;

    readonly PipeWriter _writer = context.Response.BodyWriter;
    readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // 0: nobody writes; 1: somebody does.
    int _writing;
    long _after = after;
    long _pendingSince;
    volatile bool _pending;
    volatile byte[]? _finalFrame;

    /// <summary>Whose stream it is.</summary>
    public string UserId => userId;

    /// <summary>Completes when the client is gone or is to go.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Lets the request end.</summary>
    public void End() => _ended.TrySetResult();

    /// <summary>Writes what the client does not have yet, unless it is being written to: then that goes on until nothing is left.</summary>
    public void Flush()
    {
        if (Interlocked.CompareExchange(ref _writing, 1, 0) == 0) _ = WriteAsync(heartbeat: false);
    }

    /// <summary>Writes a sign of life, where nothing else is being written.</summary>
    public void SendHeartbeat()
    {
        if (Interlocked.CompareExchange(ref _writing, 1, 0) == 0) _ = WriteAsync(heartbeat: true);
    }

    /// <summary>Writes the last lines and ends the stream.</summary>
    public void Disconnect(byte[] finalFrame)
    {
        _finalFrame = finalFrame;
        Flush();
    }

    /// <summary>Whether the client has taken nothing for longer than this.</summary>
    public bool IsStalled(TimeSpan timeout) => _pending && clock.GetElapsedTime(Volatile.Read(ref _pendingSince)) > timeout;

    /// <summary>Cuts the connection.</summary>
    public void Drop()
    {
        try
        {
            context.Abort();
        }
        catch (ObjectDisposedException)
        {
            // It ended in this moment.
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
                // Something may have come between the last look and now; whoever brought it found us writing.
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
            // Further behind than the feed remembers: it comes back and reads the database.
            if (feed.Find(_after + 1) is not { } frame) throw new IOException("The client is too far behind.");
            _after++;
            if (eventIds is not null && !eventIds.Contains(frame.EventId)) continue;
            _writer.Write(frame.Bytes);
            any = true;
        }

        return any;
    }

    /// <summary>True when there is nobody any more to write to.</summary>
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
