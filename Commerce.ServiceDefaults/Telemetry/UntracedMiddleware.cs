using System.Diagnostics;
using Microsoft.AspNetCore.Http.Features;

namespace Commerce.ServiceDefaults;

/// <summary>
/// Excludes requests to endpoints with <see cref="UntracedMetadata"/>, and everything that they cause, from traces.
/// </summary>
sealed class UntracedMiddleware(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<UntracedMetadata>() is not null
            && context.Features.Get<IHttpActivityFeature>()?.Activity is { } span)
        {
            span.IsAllDataRequested = false;
            span.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
        }
        return next(context);
    }
}
