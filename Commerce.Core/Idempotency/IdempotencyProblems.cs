namespace Commerce.Core.Idempotency;

/// <summary>Reasons for refusing a request because of its Idempotency-Key.</summary>
public static class IdempotencyProblems
{
    public static readonly ProblemType Missing = new(400, "idempotency-key-missing", "The header Idempotency-Key is required.");
    public static readonly ProblemType Invalid = new(400, "idempotency-key-invalid", "The header Idempotency-Key must have 1 to 128 visible ASCII characters.");
    public static readonly ProblemType InFlight = new(409, "idempotency-key-in-flight", "A request with this key is still in progress. Try again.", TimeSpan.FromSeconds(1));
    public static readonly ProblemType ResponseLost = new(409, "idempotency-response-lost", "The request with this key was carried out, but its response was lost. Read its effect.");
    public static readonly ProblemType Reused = new(422, "idempotency-key-reused", "This key was already used with a different body.");
}
