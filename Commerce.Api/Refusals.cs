
namespace Commerce.Api;

/// <summary>
/// The refusals of an endpoint, for the OpenAPI document. They are metadata of the endpoint. Several of them add up.
/// </summary>
/// <param name="Types">The endpoint's own refusals. <see cref="Contract"/> adds those that follow from its rules (authorization,
/// body, limits).</param>
sealed record Refusals(IReadOnlyList<ProblemType> Types);

static class RefusalsExtensions
{
    /// <summary>Documents the problems with which an endpoint refuses requests.</summary>
    public static RouteHandlerBuilder Refuses(this RouteHandlerBuilder route, params IReadOnlyList<ProblemType> types) => route.WithMetadata(new Refusals(types));
}
