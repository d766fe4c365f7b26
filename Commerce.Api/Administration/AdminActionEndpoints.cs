using System.ComponentModel.DataAnnotations;
using Commerce.Core;
using Commerce.Core.Database;

namespace Commerce.Api.Administration;

/// <summary>The actions of administrators.</summary>
static class AdminActionEndpoints
{
    public static void MapAdminActions(this RouteGroupBuilder administration) =>
        administration.MapGet("/actions", ListAsync).WithName("ListAdminActions").WithSummary("Lists what administrators did, newest first.");

    static async Task<PageResult<AdminAction>> ListAsync(
        AdminActionStore store, CancellationToken cancellationToken, string? actor = null, string? subject = null, long? before = null,
        [Range(1, 200)] int limit = 50) =>
        Pages.Of<AdminAction>(await store.ListAsync(actor is null ? null : UserId.OfText(actor), subject is null ? null : CanonicalSubject(subject), before, limit + 1, cancellationToken), limit, a => $"{a.Id}").ToResult();

    /// <summary>Returns the subject as it is stored: <c>KIND/ID</c>, or <c>KIND</c>.</summary>
    static string CanonicalSubject(string subject) => subject.Split('/', 2) is [var kind, var id] ? $"{kind}/{UrlValidation.CanonicalId(id)}" : subject;
}
