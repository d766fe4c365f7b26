using Commerce.Api.Idempotency;
using Commerce.Core.Database;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing.Patterns;

namespace Commerce.Api.Administration;

/// <summary>A request that gives a reason.</summary>
interface IReasoned
{
    string Reason { get; }
}

/// <summary>Records what administrators do.</summary>
static class ActionTrail
{
    /// <summary>Records every request of an administrator in <c>admin_action</c>, except refused requests and reads.</summary>
    public static TBuilder RecordsAdministrators<TBuilder>(this TBuilder builder) where TBuilder : IEndpointConventionBuilder => builder.AddEndpointFilter(RecordAsync);

    static async ValueTask<object?> RecordAsync(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next)
    {
        var http = invocation.HttpContext;
        if (HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsHead(http.Request.Method) || CurrentUser.Of(http.User) is not { IsAdmin: true } user) return await next(invocation);
        var metadata = http.GetEndpoint()!.Metadata;
        if (metadata.GetMetadata<OptionalIdempotencyKey>() is null || IdempotentRequest.Find(http) is not { } once) return await RecordAsync(invocation, next, user, null);
        var type = metadata.GetRequiredMetadata<IAcceptsMetadata>().RequestType;
        return await once.RunOnceAsync(invocation.Arguments.First(a => a?.GetType() == type)!, claim => RecordAsync(invocation, next, user, claim));
    }

    /// <param name="claim">Claims the idempotency key of the request, or null.</param>
    static async ValueTask<object?> RecordAsync(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next, CurrentUser user, DeferredStatement? claim)
    {
        var http = invocation.HttpContext;
        var (kind, id) = SubjectOf(http);
        var action = new AdministrativeAction(
            user.Id, http.GetEndpoint()!.Metadata.GetRequiredMetadata<IEndpointNameMetadata>().EndpointName, kind, id,
            invocation.Arguments.OfType<IReasoned>().FirstOrDefault()?.Reason, claim);
        action.Begin();
        try
        {
            var result = await next(invocation);
            // The repeated response of an idempotent request is not an action.
            if (result.StatusOf() >= StatusCodes.Status400BadRequest || invocation.Arguments.OfType<IdempotentRequest>().Any()) return result;
            await action.EndAsync(http.RequestServices.GetRequiredService<MySqlDatabase>(), http.RequestAborted);
            return result;
        }
        finally
        {
            action.Abandon();
        }
    }

    /// <summary>Returns the subject of the request: the kind and the id in its path. The subject of a payment is its order.</summary>
    static (string Kind, string? Id) SubjectOf(HttpContext http)
    {
        if (http.Request.RouteValues.TryGetValue("orderId", out var orderId)) return ("orders", $"{orderId}");
        var pattern = ((RouteEndpoint)http.GetEndpoint()!).RoutePattern;
        return ($"{((RoutePatternLiteralPart)pattern.PathSegments[2].Parts[0]).Content}", http.Request.RouteValues.TryGetValue("id", out var id) ? $"{id}" : null);
    }
}
