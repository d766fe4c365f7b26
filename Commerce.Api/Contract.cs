using System.Reflection;
using Commerce.Api.Idempotency;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Commerce.Api;

/// <summary>The OpenAPI document at <c>/openapi/v1.json</c>: adds what the framework cannot derive from the endpoints.</summary>
static class Contract
{
    const string Bearer = nameof(Bearer);

    public static WebApplicationBuilder AddContract(this WebApplicationBuilder builder)
    {
        builder.Services.AddOpenApi(options =>
        {
            // HEAD is GET without the body.
            var included = options.ShouldInclude;
            options.ShouldInclude = description => included(description) && description.HttpMethod != HttpMethods.Head;
            options.AddDocumentTransformer((document, _, _) =>
            {
                document.Info.Title = "Commerce";
                document.Components ??= new();
                document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
                {
                    [Bearer] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", BearerFormat = "JWT" },
                };
                return Task.CompletedTask;
            });
            options.AddOperationTransformer(DescribeAsync);
        });
        return builder;
    }

    static async Task DescribeAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        if (!metadata.OfType<IAllowAnonymous>().Any())
            operation.Security = [new() { [new OpenApiSecuritySchemeReference(Bearer, context.Document)] = [] }];
        if (Takes<IdempotentRequest>())
            (operation.Parameters ??= []).Add(new OpenApiParameter
            {
                Name = IdempotentRequest.Header,
                In = ParameterLocation.Header,
                Required = true,
                Description = "Client-generated, unique per operation. Repeating a request with the same key returns the first result, for at least 24 hours.",
                Schema = new OpenApiSchema { Type = JsonSchemaType.String, MinLength = 1, MaxLength = IdempotentRequest.MaxKeyLength },
            });
        if (Takes<IfMatch>())
            (operation.Parameters ??= []).Add(new OpenApiParameter
            {
                Name = "If-Match",
                In = ParameterLocation.Header,
                Description = "The ETag of the version that was read. The change is refused with 412 if there is a newer version. Without this header the last write wins.",
                Schema = new OpenApiSchema { Type = JsonSchemaType.String },
            });
        (operation.Responses ??= []).TryAdd("default", new OpenApiResponse
        {
            Description = "Error response. `type` (urn:commerce:…) is stable; with `Retry-After` (in seconds) the request can be repeated.",
            Content = new Dictionary<string, OpenApiMediaType>
            {
                ["application/problem+json"] = new() { Schema = await context.GetOrCreateSchemaAsync(typeof(ProblemDetails), null, cancellationToken) },
            },
        });

        bool Takes<T>() => metadata.OfType<MethodInfo>().Any(m => m.GetParameters().Any(p => p.ParameterType == typeof(T)));
    }
}
