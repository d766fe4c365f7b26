using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Commerce.Core;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Primitives;

namespace Commerce.Api;

/// <summary>Validates path and query of a request.</summary>
static class UrlValidation
{
    static readonly ConcurrentDictionary<Endpoint, IReadOnlyList<ParameterInfo>> Known = new();

    /// <summary>
    /// Validates ids, filters and numbers. Ids and filters must be visible ASCII, because MySQL cannot compare other text with an ASCII
    /// column and ignores trailing spaces. Other text is refused with 404 in a path and 400 in a query parameter. A number must be within
    /// the <see cref="RangeAttribute"/> of its parameter. A number without the attribute is an id. Unknown query parameters are ignored.
    /// </summary>
    public static void UseUrlValidation(this WebApplication app) => app.Use((context, next) =>
    {
        foreach (var (name, value) in context.Request.RouteValues)
        {
            if (!IsVisible(value as string)) return CommonProblems.NotFound.ToResult().ExecuteAsync(context);
            if (value is string id) context.Request.RouteValues[name] = CanonicalId(id);
        }
        if (context.GetEndpoint() is not { } endpoint) return next(context);
        Dictionary<string, string[]>? errors = null;
        foreach (var parameter in Known.GetOrAdd(endpoint, FindParameters))
            if (FindMistake(parameter, context.Request.Query[parameter.Name!]) is { } mistake) (errors ??= [])[parameter.Name!] = [mistake];
        return errors is null ? next(context) : CommonProblems.Validation.ToResult(errors: errors).ExecuteAsync(context);
    });

    /// <summary>Finds the query parameters of the endpoint's method.</summary>
    static IReadOnlyList<ParameterInfo> FindParameters(Endpoint endpoint) =>
        endpoint is RouteEndpoint { RoutePattern: var route } && endpoint.Metadata.GetMetadata<MethodInfo>() is { } method
            ? [.. method.GetParameters().Where(p => (p.ParameterType == typeof(string) || p.ParameterType == typeof(Cursor?) || IsNumber(p))
                && route.GetParameter(p.Name!) is null && !p.IsDefined(typeof(FromHeaderAttribute)))]
            : [];

    static bool IsNumber(ParameterInfo parameter) =>
        (Nullable.GetUnderlyingType(parameter.ParameterType) ?? parameter.ParameterType) is var type && (type == typeof(int) || type == typeof(long));

    static string? FindMistake(ParameterInfo parameter, StringValues given)
    {
        if (given.Count == 0) return parameter.HasDefaultValue ? null : "Required.";
        if (given.Count > 1) return "Given more than once.";
        if (IsNumber(parameter))
        {
            var known = long.TryParse(given[0], NumberStyles.None, CultureInfo.InvariantCulture, out var number);
            if (parameter.GetCustomAttribute<RangeAttribute>() is { } range) return known && range.IsValid(number) ? null : $"Must be a whole number from {range.Minimum} to {range.Maximum}.";
            return known && number > 0 ? null : "Must be a whole number above 0.";
        }

        if (parameter.ParameterType == typeof(Cursor?)) return Cursor.TryParse(given[0], null, out _) ? null : "Must be the cursor in the Link of the previous page.";
        if (parameter.IsDefined(typeof(IdAttribute))) return given[0] is not { Length: > 0 } id || IdAttribute.IsId(id) ? null : "Must be the last id of the previous page.";
        // The subject of a token and the name of a recipient may contain any character.
        if (parameter.Name is "userId" or "actor" or "recipient") return given[0] is { Length: > 0 } ? null : "Must have at least one character.";
        return given[0] is { Length: > 0 } text && IsVisible(text) ? null : "Must have one or more visible ASCII characters.";
    }

    /// <summary>
    /// Returns the id as it is stored. UUIDs are accepted in either case (RFC 9562, section 4) and stored in lower case. Numbers lose
    /// leading zeros.
    /// </summary>
    public static string CanonicalId(string id) => Guid.TryParseExact(id, "D", out var uuid) ? uuid.ToString()
        : long.TryParse(id, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number.ToString(CultureInfo.InvariantCulture) : id;

    static bool IsVisible(string? text) => text is null || !text.AsSpan().ContainsAnyExceptInRange('!', '~');
}

/// <summary>A paging cursor: the id of the last order or payment on the previous page. It is empty for the first page.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
sealed partial class IdAttribute : Attribute
{
    /// <summary>Whether the text is a UUID in our format.</summary>
    public static bool IsId(string text) => Id().IsMatch(text);

    [GeneratedRegex(@"^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\z")]
    private static partial Regex Id();
}
