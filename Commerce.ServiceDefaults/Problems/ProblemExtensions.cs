namespace Commerce.ServiceDefaults;

/// <summary>Problem details for every error response.</summary>
static class ProblemExtensions
{
    public static void AddProblems(this IHostApplicationBuilder builder)
    {
        // The exception handler answers unreadable requests, with the same text in every environment.
        builder.Services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
        builder.Services.AddExceptionHandler<ProblemExceptionHandler>();
        // Applies our types to problem details that the framework creates, such as validation errors.
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
