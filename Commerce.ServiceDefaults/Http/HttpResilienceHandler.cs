namespace Commerce.ServiceDefaults;

/// <summary>Sends requests through the pipeline of their host and method.</summary>
sealed class HttpResilienceHandler(HttpResiliencePipelines pipelines) : DelegatingHandler
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        await pipelines.For(request).ExecuteAsync(
            static async (call, token) => await call.Handler.SendOnceAsync(call.Request, token),
            (Handler: this, Request: request),
            cancellationToken);

    Task<HttpResponseMessage> SendOnceAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        base.SendAsync(request, cancellationToken);
}
