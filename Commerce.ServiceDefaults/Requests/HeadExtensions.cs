namespace Commerce.ServiceDefaults;

/// <summary>Support for HEAD.</summary>
public static class HeadExtensions
{
    /// <summary>Answers HEAD on every GET route of the group. The server omits the body.</summary>
    public static RouteGroupBuilder MapHead(this RouteGroupBuilder routes)
    {
        ((IEndpointConventionBuilder)routes).Finally(endpoint =>
        {
            if (endpoint.Metadata.OfType<HttpMethodMetadata>().LastOrDefault() is { HttpMethods: var methods } && methods.Contains(HttpMethods.Get))
                endpoint.Metadata.Add(new HttpMethodMetadata([.. methods, HttpMethods.Head]));
        });
        return routes;
    }
}
