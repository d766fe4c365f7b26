using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Commerce.ServiceDefaults;

/// <summary>The one place where exceptions become answers. (A caller who went away is answered by the framework: 499, no log entry.)</summary>
sealed partial class ProblemExceptionHandler(IHostEnvironment environment, ILogger<ProblemExceptionHandler> logger) : IExceptionHandler
{
    static readonly TimeSpan DependencyRetryAfter = TimeSpan.FromSeconds(2);

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
            // Bodies and queries are checked before; what is left are requests that are broken in themselves, such as one that ends too early.
            case BadHttpRequestException { StatusCode: StatusCodes.Status400BadRequest }:
                return CommonProblems.Validation.ToResult("The request cannot be read.");
            case BadHttpRequestException e:
                return CommonProblems.ForStatus(e.StatusCode).ToResult();
            case var e when TransientFaults.IsTransient(e):
                // Without the stack: while a dependency is away every request comes here.
                LogDependencyFault(e.GetType().Name, e.Message);
                return CommonProblems.DependencyUnavailable.ToResult(retryAfter: DependencyRetryAfter);
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
