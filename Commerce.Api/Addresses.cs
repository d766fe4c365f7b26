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
        foreach (var (_, value) in context.Request.RouteValues)
            if (!IsVisible(value as string)) return CommonProblems.NotFound.ToResult().ExecuteAsync(context);
        foreach (var (name, values) in context.Request.Query)
            // A user may be named by the subject of the token, which has any character.
            if (name != "userId" && !values.All(IsVisible))
                return CommonProblems.Validation.ToResult(errors: new Dictionary<string, string[]> { [name] = ["Visible ASCII characters."] }).ExecuteAsync(context);
        return next(context);
    });

    static bool IsVisible(string? text) => text is null || !text.AsSpan().ContainsAnyExceptInRange('!', '~');
}
