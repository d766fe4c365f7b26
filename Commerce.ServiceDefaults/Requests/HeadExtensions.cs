using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Commerce.ServiceDefaults;

/// <summary>HEAD, the request for an answer without its body.</summary>
public static class HeadExtensions
{
    /// <summary>Answers HEAD wherever these routes answer GET, in the same way; the server leaves the body out.</summary>
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
