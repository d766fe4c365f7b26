using System.Security.Claims;

namespace Commerce.ServiceDefaults;

/// <summary>The caller. Endpoints bind a parameter of this type automatically.</summary>
/// <param name="Id">The id of the token's subject (see <see cref="UserId"/>).</param>
/// <param name="IsAdmin">Whether the token has the role ADMIN.</param>
public sealed record CurrentUser(string Id, bool IsAdmin)
{
    /// <summary>Returns the user of a token, or null if there is no token or its subject is unusable.</summary>
    public static CurrentUser? Of(ClaimsPrincipal principal) =>
        principal.Identity is { IsAuthenticated: true, Name: var subject } && UserId.OfSubject(subject) is { } id ? new(id, principal.IsInRole(Roles.Admin)) : null;

    /// <summary>Returns the refusal for a caller who has no token, an unusable subject or the wrong role.</summary>
    public static ProblemResult RefusalOf(ClaimsPrincipal principal)
    {
        if (principal.Identity is not { IsAuthenticated: true }) return CommonProblems.Unauthorized.ToResult();
        return Of(principal) is null ? UsableSubjectRequirement.Refusal : CommonProblems.Forbidden.ToResult();
    }

    /// <summary>Called by the framework for a parameter of an endpoint.</summary>
    public static ValueTask<CurrentUser?> BindAsync(HttpContext context) => ValueTask.FromResult(Of(context.User));
}
