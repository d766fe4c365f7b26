using Commerce.ServiceDefaults;

namespace Commerce.Api;

/// <summary>What may stand in the address of a request.</summary>
static class Addresses
{
    /// <summary>
    /// Ids, cursors and filters are visible ASCII. Others name nothing, and MySQL would fail to compare them with a column in ASCII, or take one with
    /// a space behind it for the one without: so in a path they are not found (404), in a query not valid (400).
    /// </summary>
    public static void UseVisibleAddresses(this WebApplication app) => app.Use((context, next) =>
    {
        foreach (var (name, value) in context.Request.RouteValues)
        {
            if (!IsVisible(value as string)) return CommonProblems.NotFound.ToResult().ExecuteAsync(context);
            if (value is string id) context.Request.RouteValues[name] = CanonicalId(id);
        }

        foreach (var (name, values) in context.Request.Query)
            if (!values.All(IsVisible))
                return CommonProblems.Validation.ToResult(errors: new Dictionary<string, string[]> { [name] = ["Visible ASCII characters."] }).ExecuteAsync(context);
        return next(context);
    });

    /// <summary>The id as it is stored. The letters of a UUID may be sent in either case (RFC 9562, section 4), and are kept in lower case.</summary>
    public static string CanonicalId(string id) => Guid.TryParseExact(id, "D", out var uuid) ? uuid.ToString() : id;

    static bool IsVisible(string? text) => text is null || !text.AsSpan().ContainsAnyExceptInRange('!', '~');
}
