using System.Collections.Concurrent;
using Commerce.PaymentSandbox.Faults;

namespace Commerce.PaymentSandbox.Partner;

/// <summary>
/// The responses by the merchant's idempotency keys, kept for the lifetime of the process. A concurrent call waits for the response
/// of the first one.
/// </summary>
sealed class IdempotencyKeys
{
    const int MaxLength = 64;

    readonly ConcurrentDictionary<(Operation Operation, string Key), Request> _requests = new();

    /// <param name="operation">The operation. Each has its own keys.</param>
    /// <param name="key">The key. A call without a key is processed every time.</param>
    /// <param name="parameters">The parameters of the call. A call with the same key and other parameters is rejected.</param>
    public async Task<PartnerAnswer> AnswerAsync(Operation operation, string? key, string parameters, Func<Task<PartnerAnswer>> process)
    {
        if (string.IsNullOrEmpty(key)) return await process();
        if (key.Length > MaxLength) return PartnerAnswer.Of("Fail", "The idempotency key is too long.");
        var mine = new Request(parameters, new Lazy<Task<PartnerAnswer>>(process));
        var known = _requests.GetOrAdd((operation, key), mine);
        if (known.Parameters != parameters) return PartnerAnswer.Of("Fail", "The idempotency key was used for another request.");
        var answer = await known.Answer.Value;
        // This outcome is not final. The same call may get another response later.
        if (answer.Code is "AlreadyOnGoing") _requests.TryRemove(new((operation, key), known));
        return answer;
    }

    sealed record Request(string Parameters, Lazy<Task<PartnerAnswer>> Answer);
}
