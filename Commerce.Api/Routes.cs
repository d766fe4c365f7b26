using Commerce.ServiceDefaults;

namespace Commerce.Api;

/// <summary>Rules for all routes of the Api.</summary>
static class Routes
{
    /// <summary>
    /// The group in which features map their endpoints. HEAD is answered wherever GET is. A PUT must contain all members. Requests of administrators
    /// must not contain unknown members. Requests of shoppers may, because their page may be newer than this server.
    /// </summary>
    public static IEndpointRouteBuilder MapRoutes(this WebApplication app)
    {
        var routes = app.MapGroup("").MapHead();
        ((IEndpointConventionBuilder)routes).Finally(endpoint =>
        {
            var methods = endpoint.Metadata.OfType<HttpMethodMetadata>().LastOrDefault()?.HttpMethods ?? [];
            if (methods.Contains(HttpMethods.Put)) endpoint.Metadata.Add(BodyRule.Complete);
            else if (endpoint is RouteEndpointBuilder { RoutePattern.RawText: { } route } && route.StartsWith("/api/admin/", StringComparison.Ordinal))
                endpoint.Metadata.Add(BodyRule.Strict);
        });
        return routes;
    }
}
