using Commerce.ServiceDefaults;

namespace Commerce.Api;

/// <summary>What holds for all routes of the Api.</summary>
static class Routes
{
    /// <summary>
    /// The place where features map their endpoints. HEAD is answered wherever GET is; a PUT needs all that it replaces; what administrators send has no
    /// members that mean nothing here. What shoppers send may have some: their pages may be newer than this server.
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
