using System.Collections.Concurrent;
using System.Reflection;

namespace Commerce.Api;

/// <summary>
/// Refuses preconditions that the route of a change does not check, because the caller relies on them (RFC 9110, section 13). A PUT
/// checks <see cref="IfMatch"/>.
/// </summary>
static class Preconditions
{
    public static readonly ProblemType NotSupported = new(400, "precondition-not-supported", "This request does not support this precondition.");

    static readonly ConcurrentDictionary<Endpoint, bool> Known = new();

    public static void UsePreconditions(this WebApplication app) => app.Use((context, next) =>
    {
        var headers = context.Request.Headers;
        if (headers.IfMatch.Count + headers.IfNoneMatch.Count == 0 || context.GetEndpoint() is not { } endpoint || IsRead(context.Request.Method)) return next(context);
        var ifMatch = Known.GetOrAdd(endpoint, TakesIfMatch);
        if (ifMatch && headers.IfNoneMatch.Count == 0) return next(context);
        return NotSupported.ToResult(ifMatch
            ? "Send the request without If-None-Match. If-Match is supported."
            : "Send the request without If-Match and If-None-Match. It applies to the current state.").ExecuteAsync(context);
    });

    static bool IsRead(string method) => HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method);

    static bool TakesIfMatch(Endpoint endpoint) => endpoint.Metadata.GetMetadata<MethodInfo>()?.GetParameters().Any(p => p.ParameterType == typeof(IfMatch)) is true;
}
