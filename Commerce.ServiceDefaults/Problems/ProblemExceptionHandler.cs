using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http.Features;

namespace Commerce.ServiceDefaults;

/// <summary>Maps exceptions to responses. The framework itself handles disconnected callers (499, no log entry).</summary>
sealed partial class ProblemExceptionHandler(IHostEnvironment environment, ILogger<ProblemExceptionHandler> logger) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        var answer = AnswerTo(exception);
        if (answer.ProblemType.Status >= StatusCodes.Status500InternalServerError
            && httpContext.Features.Get<IHttpActivityFeature>()?.Activity is { IsAllDataRequested: true } span)
        {
            span.SetTag("error.type", exception.GetType().FullName);
            span.AddException(exception);
        }
        await answer.ExecuteAsync(httpContext);
        return true;
    }

    ProblemResult AnswerTo(Exception exception)
    {
        switch (exception)
        {
            case ProblemException e:
                return e.ProblemType.ToResult(e.Detail, e.RetryAfter);
            // Bodies and queries were validated before. Only broken requests remain, such as a body that ends early.
            case BadHttpRequestException { StatusCode: StatusCodes.Status400BadRequest }:
                return CommonProblems.Validation.ToResult("The request cannot be read.");
            case BadHttpRequestException e:
                return CommonProblems.ForStatus(e.StatusCode).ToResult();
            case var e when TransientFaults.IsTransient(e):
                // The stack trace is omitted, because during an outage every request fails here.
                LogDependencyFault(e.GetType().Name, e.Message);
                return CommonProblems.DependencyUnavailable.ToResult();
            default:
                LogUnknown(exception);
                return CommonProblems.InternalError.ToResult(environment.IsDevelopment() ? exception.ToString() : null);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A dependency failed: {Type}: {Reason}")]
    partial void LogDependencyFault(string type, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "A request failed")]
    partial void LogUnknown(Exception exception);
}
