using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Commerce.Api.Idempotency;
using Commerce.Core.Catalog;
using Commerce.Core.Idempotency;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Commerce.Api;

/// <summary>The OpenAPI document at <c>/openapi/v1.json</c>. It adds what the framework cannot derive from the endpoints.</summary>
static partial class Contract
{
    const string Bearer = nameof(Bearer);
    const string ProblemJson = "application/problem+json";

    static readonly (string Name, string Description)[] Tags =
    [
        ("Authentication", "Tokens for Development. Elsewhere an OpenID provider issues them."),
        ("Page", "What the shop's own page needs to know."),
        ("Coupons", "Limited coupons, first come, first served."),
        ("Events", "Sales that open at a time, and the live stream of their openings."),
        ("Products", "What is on sale."),
        ("Orders", "Orders hold their stock until they are paid, cancelled or expired."),
        ("Payments", "Payments in two steps: prepare, then approve after the payment window."),
        ("Administration", "For the role ADMIN."),
    ];

    public static WebApplicationBuilder AddContract(this WebApplicationBuilder builder)
    {
        builder.Services.AddOpenApi(options =>
        {
            // HEAD is the same as GET without the body.
            var included = options.ShouldInclude;
            options.ShouldInclude = description => included(description) && description.HttpMethod != HttpMethods.Head;
            options.AddDocumentTransformer((document, _, _) =>
            {
                document.Info.Title = "Commerce";
                document.Info.Description = "A shop for flash sales. Times are RFC 3339 in UTC, amounts are whole KRW, errors are problem details (RFC 9457) with a stable `type`.";
                document.Info.Contact = new() { Name = "The operators of this shop" };
                // Paths begin with a slash, so the server's URL must not end with one.
                foreach (var server in document.Servers ?? []) server.Url = server.Url?.TrimEnd('/');
                document.Tags = new HashSet<OpenApiTag>(Tags.Select(t => new OpenApiTag { Name = t.Name, Description = t.Description }));
                document.Components ??= new();
                document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
                {
                    [Bearer] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", BearerFormat = "JWT" },
                };
                ContractStates.AddTo(document);
                foreach (var schema in document.Components.Schemas!.Values.SelectMany(s => (s.Properties?.Values ?? []).Prepend(s))) Unwrap(schema);
                return Task.CompletedTask;
            });
            options.AddSchemaTransformer((schema, context, _) =>
            {
                Describe(schema, context.JsonTypeInfo.Type);
                return Task.CompletedTask;
            });
            options.AddOperationTransformer(DescribeAsync);
        });
        return builder;
    }

    static void Describe(OpenApiSchema schema, Type type)
    {
        // The framework also allows numbers in strings. Client generators would turn them into untyped members.
        if (schema.Type is { } types && (types & (JsonSchemaType.Integer | JsonSchemaType.Number)) != 0 && types.HasFlag(JsonSchemaType.String))
            (schema.Type, schema.Pattern) = (types & ~JsonSchemaType.String, null);
        // Some generators warn of this format and ignore it.
        if (schema.Format == "uri") schema.Format = null;
        if (ContractExamples.All.TryGetValue(type, out var example)) schema.Examples = [JsonNode.Parse(example)!];
        if (type == typeof(ProblemDetails))
        {
            // Exceptions of generated clients have the title as their message.
            ((OpenApiSchema)schema.Properties!["title"]).Extensions = new Dictionary<string, IOpenApiExtension> { ["x-ms-primary-error-message"] = new JsonNodeExtension(true) };
            schema.Properties["errors"] = new OpenApiSchema
            {
                Type = JsonSchemaType.Object | JsonSchemaType.Null,
                Description = "Of `urn:commerce:validation`: the messages by member.",
                AdditionalProperties = new OpenApiSchema { Type = JsonSchemaType.Array, Items = new OpenApiSchema { Type = JsonSchemaType.String } },
            };
            schema.Properties["traceId"] = new OpenApiSchema { Type = JsonSchemaType.String | JsonSchemaType.Null, Description = "Of a failure of the server: its trace." };
        }
    }

    /// <summary>Puts a description on one line. In the source it may have several.</summary>
    static void Unwrap(IOpenApiSchema schema)
    {
        if (schema.Description is { } description) schema.Description = LineBreak().Replace(description, " ");
        foreach (var alternative in schema.OneOf ?? []) Unwrap(alternative);
    }

    [GeneratedRegex(@"\s*\n\s*")]
    private static partial Regex LineBreak();

    static async Task DescribeAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        var parameters = metadata.OfType<MethodInfo>().SelectMany(m => m.GetParameters()).Select(p => p.ParameterType).ToHashSet();
        if (!metadata.OfType<IAllowAnonymous>().Any())
            operation.Security = [new() { [new OpenApiSecuritySchemeReference(Bearer, context.Document)] = [] }];
        var isChange = context.Description.HttpMethod != HttpMethods.Get;
        var (needsKey, takesKey) = (parameters.Contains(typeof(IdempotentRequest)), metadata.OfType<OptionalIdempotencyKey>().Any());
        if (needsKey || takesKey)
            (operation.Parameters ??= []).Add(new OpenApiParameter
            {
                Name = IdempotentRequest.Header,
                In = ParameterLocation.Header,
                Required = needsKey,
                Description = "Client-generated, unique per operation. Repeating a request with the same key returns the first result, for at least 24 hours.",
                Schema = new OpenApiSchema { Type = JsonSchemaType.String, MinLength = 1, MaxLength = IdempotentRequest.MaxKeyLength },
            });
        if (parameters.Contains(typeof(IfMatch)))
            (operation.Parameters ??= []).Add(new OpenApiParameter
            {
                Name = "If-Match",
                In = ParameterLocation.Header,
                Description = "The ETag of the version that was read. The change is refused with 412 if there is a newer version. Without this header the last write wins.",
                Schema = new OpenApiSchema { Type = JsonSchemaType.String },
            });
        operation.Description ??= Audience(metadata);
        if (isChange && !needsKey && !takesKey) operation.Description += " A repeated request has no other effect, so it needs no Idempotency-Key.";
        if (metadata.IsPaged())
        {
            operation.Description += " The list has pages: the header `Link` with `rel=\"next\"` has the address of the next one.";
            ((OpenApiResponse)operation.Responses!["200"]).Headers = Headers("Link", "The address of the next page with `rel=\"next\"`. Missing on the last page.", JsonSchemaType.String);
        }

        context.Document!.AddComponent(nameof(ProblemDetails), await context.GetOrCreateSchemaAsync(typeof(ProblemDetails), null, cancellationToken));
        var problem = new OpenApiSchemaReference(nameof(ProblemDetails), context.Document);
        foreach (var status in ListRefusals(operation, metadata, parameters, isChange).Distinct().GroupBy(r => r.Status).OrderBy(s => s.Key))
            operation.Responses!.TryAdd($"{status.Key}", RefusalOf([.. status], problem));
        (operation.Responses ??= []).TryAdd("default", new OpenApiResponse
        {
            Description = "Error response. `type` (urn:commerce:…) is stable; with `Retry-After` (in seconds) the request can be repeated.",
            Content = new Dictionary<string, OpenApiMediaType> { [ProblemJson] = new() { Schema = problem } },
        });
    }

    static string Audience(IList<object> metadata) =>
        metadata.OfType<IAllowAnonymous>().Any() ? "For everybody."
        : IsForAdministrators(metadata) ? "For administrators."
        : "For signed-in customers.";

    static bool IsForAdministrators(IList<object> metadata) => metadata.OfType<IAuthorizeData>().Any(a => a.Policy == Policies.Admin);

    /// <summary>Lists the refusals that the endpoint declares, and those that follow from its rules.</summary>
    static IEnumerable<ProblemType> ListRefusals(OpenApiOperation operation, IList<object> metadata, HashSet<Type> parameters, bool isChange)
    {
        foreach (var declared in metadata.OfType<Refusals>().SelectMany(r => r.Types)) yield return declared;
        if (operation.Parameters is { Count: > 0 } || operation.RequestBody is not null) yield return CommonProblems.Validation;
        if (operation.RequestBody is not null)
        {
            yield return CommonProblems.PayloadTooLarge;
            yield return CommonProblems.UnsupportedMediaType;
        }

        if (!metadata.OfType<IAllowAnonymous>().Any())
        {
            yield return CommonProblems.Unauthorized;
            yield return CommonProblems.Forbidden;
            yield return CommonProblems.SubjectNotUsable;
        }

        if (parameters.Contains(typeof(IdempotentRequest)))
            foreach (var refusal in new[] { IdempotencyProblems.Missing, IdempotencyProblems.Invalid, IdempotencyProblems.InFlight, IdempotencyProblems.Reused })
                yield return refusal;
        if (metadata.OfType<OptionalIdempotencyKey>().Any())
            foreach (var refusal in new[] { IdempotencyProblems.Invalid, IdempotencyProblems.InFlight, IdempotencyProblems.ResponseLost, IdempotencyProblems.Reused })
                yield return refusal;
        if (isChange) yield return Preconditions.NotSupported;
        if (parameters.Contains(typeof(IfMatch))) yield return Versions.Stale;
        if (!IsForAdministrators(metadata)) yield return CommonProblems.RateLimited;
        yield return CommonProblems.InternalError;
        yield return CommonProblems.DependencyUnavailable;
    }

    static OpenApiResponse RefusalOf(IReadOnlyList<ProblemType> types, OpenApiSchemaReference problem) => new()
    {
        Description = string.Join(" · ", types.Select(t => $"`{t.Slug}`: {t.Title}")),
        Headers = types[0].Status is StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable || types.Any(t => t.RetryAfter is not null)
            ? Headers("Retry-After", "Seconds to wait before the request is repeated.", JsonSchemaType.Integer)
            : null,
        Content = new Dictionary<string, OpenApiMediaType>
        {
            [ProblemJson] = new()
            {
                Schema = problem,
                Examples = types.ToDictionary(t => t.Slug, IOpenApiExample (t) => new OpenApiExample
                {
                    Value = new JsonObject { ["type"] = t.Type, ["title"] = t.Title, ["status"] = t.Status },
                }),
            },
        },
    };

    static Dictionary<string, IOpenApiHeader> Headers(string name, string description, JsonSchemaType type) =>
        new() { [name] = new OpenApiHeader { Description = description, Schema = new OpenApiSchema { Type = type, Format = type == JsonSchemaType.Integer ? "int32" : null } } };
}
