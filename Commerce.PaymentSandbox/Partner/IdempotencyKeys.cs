using System.Collections.Concurrent;
using Commerce.PaymentSandbox.Faults;

namespace Commerce.PaymentSandbox.Partner;

/// <summary>
/// Responses by the merchant's idempotency keys, for the lifetime of the process. A concurrent call waits for the first one's response.
/// </summary>
sealed class IdempotencyKeys
{
    const int MaxLength = 64;

    readonly ConcurrentDictionary<(Operation Operation, string Key), Request> _requests = new();

    /// <param name="operation">Each operation has its own keys.</param>
    /// <param name="key">Null: processed every time.</param>
    /// <param name="parameters">The parameters of the first call. A different call with the same key is rejected.</param>
    public async Task<PartnerAnswer> AnswerAsync(Operation operation, string? key, string parameters, Func<Task<PartnerAnswer>> process)
    {
        if (string.IsNullOrEmpty(key)) return await process();
        if (key.Length > MaxLength) return PartnerAnswer.Of("Fail", "The idempotency key is too long.");
        var mine = new Request(parameters, new Lazy<Task<PartnerAnswer>>(process));
        var known = _requests.GetOrAdd((operation, key), mine);
        if (known.Parameters != parameters) return PartnerAnswer.Of("Fail", "The idempotency key was used for another request.");
        var answer = await known.Answer.Value;
        // Not a final outcome: the same call may get another response later.
        if (answer.Code is "AlreadyOnGoing") _requests.TryRemove(new((operation, key), known));
        return answer;
    }

    sealed record Request(string Parameters, Lazy<Task<PartnerAnswer>> Answer);
}
