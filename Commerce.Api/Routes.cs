using Commerce.Api.Administration;

namespace Commerce.Api;

/// <summary>Rules for all routes of the Api.</summary>
static class Routes
{
    /// <summary>
    /// Creates the group in which features map their endpoints. Every GET route also answers HEAD. Requests of shoppers may contain
    /// unknown members, because their page may be newer than this server.
    /// </summary>
    public static RouteGroupBuilder MapRoutes(this WebApplication app) => app.MapGroup("").MapHead();

    /// <summary>
    /// Creates the group for administrators. Responses with a single item carry its version as ETag. A PUT must contain all members. No
    /// request may contain unknown members.
    /// </summary>
    public static RouteGroupBuilder MapAdministration(this IEndpointRouteBuilder routes)
    {
        var administration = routes.MapGroup("/api/admin").WithTags("Administration").RequireAuthorization(Policies.Admin).RecordsAdministrators().WithETags();
        ((IEndpointConventionBuilder)administration).Finally(endpoint => endpoint.Metadata.Add(
            endpoint.Metadata.OfType<HttpMethodMetadata>().LastOrDefault()?.HttpMethods.Contains(HttpMethods.Put) is true ? BodyRule.Complete : BodyRule.Strict));
        return administration;
    }
}
