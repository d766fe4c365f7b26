namespace Commerce.Core.Coupons;

/// <summary>
/// Batches the requests for one coupon. Requests that arrive during a call to the gate go into the next call, in their order. In a
/// rush, one call to Redis decides about dozens of users. A single request is not delayed.
/// </summary>
/// <param name="ask">Asks the gate about these users. The results are in the same order.</param>
sealed class CouponIssueBatcher(Func<IReadOnlyList<string>, Task<IReadOnlyList<GateResult>>> ask)
{
    /// <summary>Redis takes about 0.3 ms for a batch of this size. Other commands wait meanwhile.</summary>
    const int BatchSize = 128;

    readonly Lock _lock = new();
    List<PendingRequest> _waiting = [];
    bool _isSending;

    /// <summary>Adds a request. It fails if its own call fails, or the call before it.</summary>
    public Task<GateResult> EnqueueAsync(string userId)
    {
        var request = new PendingRequest(userId);
        lock (_lock)
        {
            _waiting.Add(request);
            if (_isSending) return request.Task;
            _isSending = true;
        }

        // The loop also serves other requests, so it must not run in the trace of this one.
        using (ExecutionContext.SuppressFlow()) _ = SendAsync();
        return request.Task;
    }

    async Task SendAsync()
    {
        while (TakeBatch() is { Count: > 0 } batch)
        {
            try
            {
                var results = await ask(batch.ConvertAll(r => r.UserId));
                for (var i = 0; i < batch.Count; i++) batch[i].Complete(results[i]);
            }
            catch (Exception e)
            {
                // The next call would probably fail as well. The waiting requests fail now and can be repeated.
                foreach (var request in batch.Concat(TakeAll())) request.Fail(e);
            }
        }
    }

    /// <summary>Takes the oldest waiting requests. An empty result ends the loop.</summary>
    List<PendingRequest> TakeBatch()
    {
        lock (_lock)
        {
            var waiting = _waiting;
            _isSending = waiting.Count > 0;
            _waiting = waiting.Count > BatchSize ? waiting[BatchSize..] : [];
            return waiting.Count > BatchSize ? waiting[..BatchSize] : waiting;
        }
    }

    List<PendingRequest> TakeAll()
    {
        lock (_lock)
        {
            var waiting = _waiting;
            _waiting = [];
            return waiting;
        }
    }

    sealed class PendingRequest(string userId) : TaskCompletionSource<GateResult>
    {
        public string UserId => userId;

        public void Complete(GateResult result)
        {
            // After an acceptance, the caller only passes a message on, so its continuation runs here. After a refusal it writes a
            // response, so its continuation runs on another thread.
            if (result.Verdict == GateVerdict.Accepted) TrySetResult(result);
            else ThreadPool.UnsafeQueueUserWorkItem(static r => r.Request.TrySetResult(r.Result), (Request: this, Result: result), preferLocal: false);
        }

        public void Fail(Exception exception) =>
            ThreadPool.UnsafeQueueUserWorkItem(static r => r.Request.TrySetException(r.Exception), (Request: this, Exception: exception), preferLocal: false);
    }
}
