namespace Commerce.ServiceDefaults;

/// <summary>
/// Asks clients to close their connections while the process drains. Otherwise the server might close a kept-alive connection at the
/// moment when the client sends its next request.
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
