namespace Commerce.Core.Coupons;

/// <summary>
/// The line before the gate of one coupon: who comes while the gate answers others goes through it together with the next ones, in the order
/// of coming. In a crowd one call to Redis decides for dozens of users; somebody alone waits for nobody.
/// </summary>
/// <param name="ask">Asks the gate for these users and answers for each, in their order.</param>
sealed class CouponIssueBatcher(Func<IReadOnlyList<string>, Task<IReadOnlyList<GateResult>>> ask)
{
    /// <summary>A script that runs for longer would keep everybody else from Redis: so many take about 0.3 ms.</summary>
    const int BatchSize = 128;

    readonly Lock _lock = new();
    List<PendingRequest> _waiting = [];
    bool _moving;

    /// <summary>Stands in line; fails as the call fails that asked for this user, or the one that they waited behind.</summary>
    public Task<GateResult> EnqueueAsync(string userId)
    {
        var turn = new PendingRequest(userId);
        lock (_lock)
        {
            _waiting.Add(turn);
            if (_moving) return turn.Task;
            _moving = true;
        }

        // Not a part of this user's request: its trace, and whatever else flows with it, stays behind.
        using (ExecutionContext.SuppressFlow()) _ = MoveAsync();
        return turn.Task;
    }

    async Task MoveAsync()
    {
        while (Next() is { Count: > 0 } turns)
        {
            try
            {
                var answers = await ask(turns.ConvertAll(t => t.UserId));
                for (var i = 0; i < turns.Count; i++) turns[i].Answer(answers[i]);
            }
            catch (Exception e)
            {
                // Who waits behind a call that failed would wait for the same again: they are told now, and may come again.
                foreach (var turn in turns.Concat(Leave())) turn.Fail(e);
            }
        }
    }

    /// <summary>Those whose turn it is; none ends the moving.</summary>
    List<PendingRequest> Next()
    {
        lock (_lock)
        {
            var turns = _waiting;
            _moving = turns.Count > 0;
            _waiting = turns.Count > BatchSize ? turns[BatchSize..] : [];
            return turns.Count > BatchSize ? turns[..BatchSize] : turns;
        }
    }

    List<PendingRequest> Leave()
    {
        lock (_lock)
        {
            var turns = _waiting;
            _waiting = [];
            return turns;
        }
    }

    /// <summary>One user's.</summary>
    sealed class PendingRequest(string userId) : TaskCompletionSource<GateResult>
    {
        public string UserId => userId;

        public void Answer(GateResult answer)
        {
            // What follows an acceptance only hands a message over and comes back: it is done here. A refusal is a whole response to write,
            // which may happen beside the line.
            if (answer.Verdict == GateVerdict.Accepted) TrySetResult(answer);
            else ThreadPool.UnsafeQueueUserWorkItem(static t => t.PendingRequest.TrySetResult(t.Answer), (PendingRequest: this, Answer: answer), preferLocal: false);
        }

        public void Fail(Exception exception) => ThreadPool.UnsafeQueueUserWorkItem(static t => t.PendingRequest.TrySetException(t.Exception), (PendingRequest: this, Exception: exception), preferLocal: false);
    }
}
