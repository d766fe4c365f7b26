using System.ComponentModel.DataAnnotations;
using Commerce.Api.Idempotency;
using Commerce.Core.WaitingRoom;
using Microsoft.AspNetCore.Cors.Infrastructure;

namespace Commerce.Api;

/// <summary>The origins whose pages may call the Api from a browser. Configuration section <c>Cors</c>.</summary>
sealed class CorsOptions : IValidatableObject
{
    public const string Section = "Cors";

    /// <summary>Origins such as <c>https://app.example</c>, or <c>*</c> for all. Default: none.</summary>
    public IList<string> Origins { get; } = [];

    /// <summary>How long a browser keeps the answer to its preflight request: 0 to 1 day. Default 1 h.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00")]
    public TimeSpan PreflightMaxAge { get; set; } = TimeSpan.FromHours(1);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var origin in Origins.Where(o => o != CorsConstants.AnyOrigin && !IsOrigin(o)))
            yield return new($"{Section}:{nameof(Origins)}: {origin} is no origin, such as https://app.example or http://localhost:5173, without a path.");
    }

    static bool IsOrigin(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && text == uri.GetLeftPart(UriPartial.Authority);
}

/// <summary>Cross-origin requests (CORS).</summary>
static class CrossOrigin
{
    static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head, HttpMethods.Post, HttpMethods.Put];
    static readonly string[] RequestHeaders = ["Authorization", "Content-Type", IdempotentRequest.Header, "If-Match", "Last-Event-ID", WaitingRoomPass.Header];
    static readonly string[] ResponseHeaders = ["ETag", "Link", "Location", "Retry-After"];

    public static WebApplicationBuilder AddCrossOrigin(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<CorsOptions>().BindConfiguration(CorsOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddCors();
        return builder;
    }

    /// <summary>
    /// Answers preflight requests and lets the configured origins read responses, including errors. Without configured origins it does
    /// nothing. Requests carry bearer tokens and never cookies, so credentials are not allowed.
    /// </summary>
    public static void UseCrossOrigin(this WebApplication app)
    {
        var options = new CorsOptions();
        app.Configuration.GetSection(CorsOptions.Section).Bind(options);
        if (options.Origins.Count == 0) return;
        app.UseCors(policy => policy.WithOrigins([.. options.Origins]).WithMethods(Methods).WithHeaders(RequestHeaders).WithExposedHeaders(ResponseHeaders)
            .SetPreflightMaxAge(options.PreflightMaxAge));
    }
}
