using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Commerce.ServiceDefaults;

/// <summary>Adds to the request span what ASP.NET Core leaves out: a readable name, the route, the status, the failure.</summary>
sealed class RequestSpanMiddleware(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (context.Features.Get<IHttpActivityFeature>()?.Activity is not { IsAllDataRequested: true } span)
            return next(context);
        // Taken now: the exception handler removes the endpoint from the context.
        var endpoint = context.GetEndpoint();
        if (endpoint?.Metadata.GetMetadata<UntracedMetadata>() is null)
            return DescribeAsync(context, span, (endpoint as RouteEndpoint)?.RoutePattern.RawText);
        // Neither this span nor any child of it is exported.
        span.IsAllDataRequested = false;
        span.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
        return next(context);
    }

    async Task DescribeAsync(HttpContext context, Activity span, string? route)
    {
        if (route is not null)
        {
            span.DisplayName = $"{context.Request.Method} {route}";
            span.SetTag("http.route", route);
        }
        else
        {
            span.DisplayName = context.Request.Method;
        }
        await next(context);
        var status = context.Response.StatusCode;
        span.SetTag("http.response.status_code", status);
        if (status >= StatusCodes.Status500InternalServerError)
        {
            if (span.GetTagItem("error.type") is null)
                span.SetTag("error.type", status.ToString(CultureInfo.InvariantCulture));
            span.SetStatus(ActivityStatusCode.Error);
        }
    }
}
