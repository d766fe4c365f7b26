
namespace Commerce.Api;

/// <summary>The refusals of an endpoint, for the OpenAPI document. Metadata of the endpoint; several add up.</summary>
/// <param name="Types">Those of the endpoint itself. What its rules imply (authorization, body, limits) is added by <see cref="Contract"/>.</param>
sealed record Refusals(IReadOnlyList<ProblemType> Types);

static class RefusalsExtensions
{
    /// <summary>Documents what an endpoint refuses, and why.</summary>
    public static RouteHandlerBuilder Refuses(this RouteHandlerBuilder route, params IReadOnlyList<ProblemType> types) => route.WithMetadata(new Refusals(types));
}
