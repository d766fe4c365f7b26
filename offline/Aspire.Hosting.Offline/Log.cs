using Microsoft.Extensions.Logging;

namespace Aspire.Hosting;

internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Distributed application starting.")]
    public static partial void Starting(this ILogger logger);

    [LoggerMessage(2, LogLevel.Information, "Application host directory is: {Path}")]
    public static partial void Directory(this ILogger logger, string path);

    [LoggerMessage(3, LogLevel.Information, "Now listening on: {Url}")]
    public static partial void Listening(this ILogger logger, string url);

    [LoggerMessage(4, LogLevel.Information, "Login to the dashboard at {Url}/login?t={Token}")]
    public static partial void Login(this ILogger logger, string url, string token);

    [LoggerMessage(5, LogLevel.Information, "Distributed application started. Press Ctrl+C to shut down.")]
    public static partial void Started(this ILogger logger);

    [LoggerMessage(6, LogLevel.Warning, "{Url} of the dashboard is in use by another program: taking port {Port}.")]
    public static partial void DashboardPortTaken(this ILogger logger, string url, int port);

    [LoggerMessage(7, LogLevel.Error, "The dashboard did not start: {Reason}")]
    public static partial void DashboardFailed(this ILogger logger, string reason);

    [LoggerMessage(8, LogLevel.Information, "Waiting for resource '{Name}' to complete.")]
    public static partial void WaitingForCompletion(this ILogger logger, string name);

    [LoggerMessage(9, LogLevel.Information, "Waiting for resource '{Name}' to enter the '{State}' state.")]
    public static partial void WaitingForState(this ILogger logger, string name, string state);

    [LoggerMessage(10, LogLevel.Information, "Waiting for resource '{Name}' to become healthy.")]
    public static partial void WaitingForHealth(this ILogger logger, string name);

    [LoggerMessage(11, LogLevel.Information, "Finished waiting for resource '{Name}'.")]
    public static partial void FinishedWaiting(this ILogger logger, string name);

    [LoggerMessage(12, LogLevel.Information, "Executing command '{Name}'.")]
    public static partial void ExecutingCommand(this ILogger logger, string name);

    [LoggerMessage(13, LogLevel.Error, "Command '{Name}' failed.")]
    public static partial void CommandFailed(this ILogger logger, Exception exception, string name);

    [LoggerMessage(14, LogLevel.Error, "Failed to start '{Name}': {Reason}")]
    public static partial void FailedToStart(this ILogger logger, string name, string reason);

    [LoggerMessage(15, LogLevel.Error, "A subscriber of an event of '{Name}' failed.")]
    public static partial void SubscriberFailed(this ILogger logger, Exception exception, string name);

    [LoggerMessage(16, LogLevel.Error, "The engine's stream of changes broke; the states shown may be old.")]
    public static partial void WatchBroke(this ILogger logger, Exception exception);

    [LoggerMessage(17, LogLevel.Error, "The resource service could not answer {Method}.")]
    public static partial void ResourceServiceFailed(this ILogger logger, Exception exception, string method);

    [LoggerMessage(18, LogLevel.Information, "{Line}")]
    public static partial void ResourceLine(this ILogger logger, string line);

    [LoggerMessage(19, LogLevel.Error, "{Line}")]
    public static partial void ResourceErrorLine(this ILogger logger, string line);
}
