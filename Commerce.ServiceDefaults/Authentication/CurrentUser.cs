using System.Security.Claims;
using Microsoft.AspNetCore.Http;

namespace Commerce.ServiceDefaults;

/// <summary>Who makes the request. A parameter of this type in an endpoint is bound by itself.</summary>
/// <param name="Id">The token's subject: 1 to 64 characters of <c>A-Z a-z 0-9 _ . : @ | -</c>.</param>
/// <param name="IsAdmin">Whether the token has the role ADMIN.</param>
public sealed record CurrentUser(string Id, bool IsAdmin)
{
    /// <summary>The user of a token; null without one, or where its subject cannot be an id.</summary>
    public static CurrentUser? Of(ClaimsPrincipal principal) =>
        principal.Identity is { IsAuthenticated: true, Name: var name } && UserId.IsValid(name) ? new(name!, principal.IsInRole(Roles.Admin)) : null;

    /// <summary>Called by the framework for a parameter of an endpoint.</summary>
    public static ValueTask<CurrentUser?> BindAsync(HttpContext context) => ValueTask.FromResult(Of(context.User));
}
