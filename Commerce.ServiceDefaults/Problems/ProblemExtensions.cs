using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Commerce.ServiceDefaults;

/// <summary>Problem details for whatever goes wrong.</summary>
static class ProblemExtensions
{
    public static void AddProblems(this IHostApplicationBuilder builder)
    {
        // Requests that cannot be read are answered in the same words in every environment, by the exception handler.
        builder.Services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
        builder.Services.AddExceptionHandler<ProblemExceptionHandler>();
        // What the framework writes itself, such as the result of validation, gets our names.
        builder.Services.AddProblemDetails(details => details.CustomizeProblemDetails = context =>
        {
            var problem = CommonProblems.ForStatus(context.ProblemDetails.Status ?? context.HttpContext.Response.StatusCode);
            context.ProblemDetails.Type = problem.Type;
            context.ProblemDetails.Title = problem.Title;
            if (problem.Status < StatusCodes.Status500InternalServerError)
                context.ProblemDetails.Extensions.Remove("traceId");
        });
    }
}
