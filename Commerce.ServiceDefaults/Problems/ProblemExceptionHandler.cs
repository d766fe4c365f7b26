using System.Text.Json;
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
        if (answer.Problem.Status >= StatusCodes.Status500InternalServerError
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
                return e.Problem.ToResult(e.Detail, e.RetryAfter);
            case BadHttpRequestException { StatusCode: StatusCodes.Status400BadRequest } e:
                return Unreadable(e);
            case BadHttpRequestException e:
                return CommonProblems.ForStatus(e.StatusCode).ToResult();
            case var e when DependencyFaults.Is(e):
                // Without the stack: while a dependency is away every request comes here.
                LogDependencyFault(e.GetType().Name, e.Message);
                return CommonProblems.DependencyUnavailable.ToResult(retryAfter: DependencyRetryAfter);
            default:
                LogUnknown(exception);
                return CommonProblems.InternalError.ToResult(environment.IsDevelopment() ? exception.ToString() : null);
        }
    }

    static ProblemResult Unreadable(BadHttpRequestException exception)
    {
        if (exception.InnerException is not JsonException json)
            return CommonProblems.Validation.ToResult(exception.Message);
        var field = json.Path is { Length: > 2 } path ? path[2..] : "body";
        return CommonProblems.Validation.ToResult(errors: new Dictionary<string, string[]> { [field] = ["Missing, or not of the expected form."] });
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A dependency failed: {Type}: {Reason}")]
    partial void LogDependencyFault(string type, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "A request failed")]
    partial void LogUnknown(Exception exception);
}
