using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;
using Microsoft.AspNetCore.Http;

namespace Commerce.ServiceDefaults;

/// <summary>The token says who the user is, in a way that can be remembered.</summary>
sealed class UsableSubjectRequirement : AuthorizationHandler<UsableSubjectRequirement>, IAuthorizationRequirement
{
    /// <summary>The answer to a valid token without a usable subject. Another role would not help, so it is told apart from <c>forbidden</c>.</summary>
    public static ProblemResult Refusal { get; } = CommonProblems.SubjectNotUsable.ToResult(
        $"The claim sub must be a single string of 1 to {UserId.MaxSubjectLength} characters. Ask the identity provider for another subject.");

    protected override Task HandleRequirementAsync(AuthorizationHandlerContext context, UsableSubjectRequirement requirement)
    {
        if (CurrentUser.Of(context.User) is not null) context.Succeed(requirement);
        else context.Fail(new AuthorizationFailureReason(this, "sub"));
        return Task.CompletedTask;
    }
}

/// <summary>Answers with <see cref="UsableSubjectRequirement.Refusal"/> where that is the reason, else as the framework does.</summary>
sealed class SubjectAwareResultHandler : IAuthorizationMiddlewareResultHandler
{
    readonly AuthorizationMiddlewareResultHandler _framework = new();

    public Task HandleAsync(RequestDelegate next, HttpContext context, AuthorizationPolicy policy, PolicyAuthorizationResult authorizeResult) =>
        authorizeResult is { Forbidden: true, AuthorizationFailure: { } failure } && failure.FailureReasons.Any(r => r.Handler is UsableSubjectRequirement)
            ? UsableSubjectRequirement.Refusal.ExecuteAsync(context)
            : _framework.HandleAsync(next, context, policy, authorizeResult);
}
