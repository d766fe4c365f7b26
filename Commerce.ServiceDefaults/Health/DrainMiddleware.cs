namespace Commerce.ServiceDefaults;

/// <summary>
/// Asks clients to close their connections while the process drains. A kept-alive connection could carry its next request at the moment when the
/// server closes it.
/// </summary>
sealed class DrainMiddleware(RequestDelegate next, ShutdownDrain drain)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (drain.IsDraining && HttpProtocol.IsHttp11(context.Request.Protocol))
            context.Response.Headers.Connection = "close";
        return next(context);
    }
}
