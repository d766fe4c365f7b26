using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;

namespace Commerce.ServiceDefaults;

/// <summary>Requires a subject that can be stored.</summary>
sealed class UsableSubjectRequirement : AuthorizationHandler<UsableSubjectRequirement>, IAuthorizationRequirement
{
    /// <summary>
    /// The response to a valid token with an unusable subject. It differs from <c>forbidden</c>, because another role would not help.
    /// </summary>
    public static ProblemResult Refusal { get; } = CommonProblems.SubjectNotUsable.ToResult(
        $"The claim sub must be a single string of 1 to {UserId.MaxSubjectLength} characters. Ask the identity provider for another subject.");

    protected override Task HandleRequirementAsync(AuthorizationHandlerContext context, UsableSubjectRequirement requirement)
    {
        if (CurrentUser.Of(context.User) is not null) context.Succeed(requirement);
        else context.Fail(new AuthorizationFailureReason(this, "sub"));
        return Task.CompletedTask;
    }
}

/// <summary>
/// Responds with <see cref="UsableSubjectRequirement.Refusal"/> if the subject is the reason, otherwise like the framework.
/// </summary>
sealed class SubjectAwareResultHandler : IAuthorizationMiddlewareResultHandler
{
    readonly AuthorizationMiddlewareResultHandler _framework = new();

    public Task HandleAsync(RequestDelegate next, HttpContext context, AuthorizationPolicy policy, PolicyAuthorizationResult authorizeResult) =>
        authorizeResult is { Forbidden: true, AuthorizationFailure: { } failure } && failure.FailureReasons.Any(r => r.Handler is UsableSubjectRequirement)
            ? UsableSubjectRequirement.Refusal.ExecuteAsync(context)
            : _framework.HandleAsync(next, context, policy, authorizeResult);
}
