using System.Collections.Concurrent;
using Commerce.PaymentSandbox.Faults;

namespace Commerce.PaymentSandbox.Partner;

/// <summary>The answers by the merchant's keys, for the life of the process. Who comes while the first is being processed waits for its answer.</summary>
sealed class IdempotencyKeys
{
    const int MaxLength = 64;

    readonly ConcurrentDictionary<(Operation Operation, string Key), Request> _requests = new();

    /// <param name="operation">Each has keys of its own.</param>
    /// <param name="key">None: processed every time.</param>
    /// <param name="parameters">What the key stands for; another request under the same key is refused.</param>
    public async Task<PartnerAnswer> AnswerAsync(Operation operation, string? key, string parameters, Func<Task<PartnerAnswer>> process)
    {
        if (string.IsNullOrEmpty(key)) return await process();
        if (key.Length > MaxLength) return PartnerAnswer.Of("Fail", "The idempotency key is too long.");
        var mine = new Request(parameters, new Lazy<Task<PartnerAnswer>>(process));
        var known = _requests.GetOrAdd((operation, key), mine);
        if (known.Parameters != parameters) return PartnerAnswer.Of("Fail", "The idempotency key was used for another request.");
        var answer = await known.Answer.Value;
        // Not an outcome: the same request may get another answer later.
        if (answer.Code is "AlreadyOnGoing") _requests.TryRemove(new((operation, key), known));
        return answer;
    }

    sealed record Request(string Parameters, Lazy<Task<PartnerAnswer>> Answer);
}
