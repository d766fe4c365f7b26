using System.Globalization;
using Commerce.Core.Database;
using Microsoft.Net.Http.Headers;

namespace Commerce.Api;

/// <summary>The versions in the header If-Match that a change accepts.</summary>
/// <param name="Versions">The accepted versions. Null accepts any version.</param>
sealed record IfMatch(IReadOnlyCollection<int>? Versions)
{
    /// <summary>Reads the header. A weak tag, or a tag that is not a version, matches no version.</summary>
    /// <exception cref="ProblemException">The header is malformed.</exception>
    public static ValueTask<IfMatch> BindAsync(HttpContext context)
    {
        var header = context.Request.Headers.IfMatch;
        if (header.Count == 0) return new(new IfMatch((int[]?)null));
        if (!EntityTagHeaderValue.TryParseStrictList(header, out var tags))
            throw new ProblemException(CommonProblems.Validation, "If-Match must be the ETag of an earlier response, with its quotes, or *.");
        return new(new IfMatch(tags.Contains(EntityTagHeaderValue.Any)
            ? null
            : [.. tags.Where(tag => !tag.IsWeak).Select(tag => VersionOf(tag.Tag.AsSpan().Trim('"')))]));
    }

    /// <summary>Reads the version. A tag that no response has, such as <c>01</c>, gives 0, which is not a version.</summary>
    static int VersionOf(ReadOnlySpan<char> tag) => tag is [>= '1' and <= '9', ..] && int.TryParse(tag, NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version : 0;
}

static class ETags
{
    /// <summary>Adds the version of a single item to the response as its ETag.</summary>
    public static RouteGroupBuilder WithETags(this RouteGroupBuilder group) => group.AddEndpointFilter(async (invocation, next) =>
    {
        var result = await next(invocation);
        if ((result is INestedHttpResult nested ? nested.Result : result) is IValueHttpResult { Value: IVersioned { Version: var version } })
            invocation.HttpContext.Response.Headers.ETag = string.Create(CultureInfo.InvariantCulture, $"\"{version}\"");
        return result;
    });
}
