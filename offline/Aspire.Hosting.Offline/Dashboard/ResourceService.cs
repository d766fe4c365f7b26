using System.Net;
using Aspire.Hosting.ApplicationModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Dashboard;

/// <summary>The gRPC service from which the dashboard has resources, console output and commands.</summary>
internal sealed class ResourceService(
    DistributedApplicationModel model,
    ResourceNotificationService notifications,
    ResourceLoggerService loggers,
    ResourceCommandService commands,
    IConfiguration configuration,
    ILogger<ResourceService> logger) : IAsyncDisposable
{
    readonly CancellationTokenSource _stopping = new();
    WebApplication? _server;

    /// <returns>Its address.</returns>
    public async Task<string> StartAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, o => o.Protocols = HttpProtocols.Http2);

            // A quiet stream is not a slow one.
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
        });
        _server = builder.Build();
        _server.Run(AnswerAsync);
        await _server.StartAsync(cancellationToken);
        return _server.Urls.First();
    }

    public async Task StopAsync()
    {
        // Open streams would hold up the end.
        await _stopping.CancelAsync();
        if (_server is { } server)
        {
            _server = null;
            await server.DisposeAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stopping.Dispose();
    }

    async Task AnswerAsync(HttpContext call)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(call.RequestAborted, _stopping.Token);
        call.Response.ContentType = "application/grpc";
        var method = call.Request.Path.Value!.Split('/')[^1];
        try
        {
            if (call.Request.Headers["x-resource-service-api-key"] != configuration["AppHost:ResourceService:ApiKey"])
            {
                await call.EndAsync(16, "The API key is wrong.");
                return;
            }

            await call.EndAsync(await AnswerAsync(call, method, either.Token) ? 0 : 12);
        }
        catch (OperationCanceledException)
        {
            call.Abort();
        }
#pragma warning disable CA1031 // The dashboard is told of whatever it is.
        catch (Exception e)
#pragma warning restore CA1031
        {
            logger.ResourceServiceFailed(e, method);
            await call.EndAsync(13, e.Message);
        }
    }

    async Task<bool> AnswerAsync(HttpContext call, string method, CancellationToken cancellationToken)
    {
        switch (method)
        {
            case "GetApplicationInformation":
                await call.WriteMessageAsync(new ProtobufMessage().Text(1, configuration["AppHost:DashboardApplicationName"]));
                return true;

            case "WatchResources":
                await call.ReadMessageAsync();
                var known = model.Resources.SelectMany(r => r.GetInstanceIds())
                    .Select(id => notifications.TryGetCurrentState(id, out var state) ? state : null).OfType<ResourceEvent>();
                await call.WriteMessageAsync(ResourceMessages.Initial(known));
                await foreach (var change in notifications.WatchAsync(cancellationToken))
                {
                    await call.WriteMessageAsync(ResourceMessages.Change(change));
                }

                return true;

            case "WatchResourceConsoleLogs":
                var (texts, numbers) = await call.ReadMessageAsync();
                var id = texts.GetValueOrDefault(1, "");
                var lines = numbers.ContainsKey(2) ? loggers.GetAllAsync(id) : loggers.WatchAsync(id);
                await foreach (var batch in lines.WithCancellation(cancellationToken))
                {
                    await call.WriteMessageAsync(ResourceMessages.Lines(batch));
                }

                return true;

            case "ExecuteResourceCommand":
                var (request, _) = await call.ReadMessageAsync();
                await call.WriteMessageAsync(ResourceMessages.Result(await commands.ExecuteCommandAsync(
                    request.GetValueOrDefault(2, ""), request.GetValueOrDefault(1, ""), cancellationToken)));
                return true;

            case "WatchInteractions":
                // Without an open stream the page says that the connection is lost. There are no interactions.
                await call.Response.StartAsync(cancellationToken);
                await call.Response.Body.FlushAsync(cancellationToken);
                await call.Request.Body.CopyToAsync(Stream.Null, cancellationToken);
                return true;

            default:
                return false;
        }
    }
}
