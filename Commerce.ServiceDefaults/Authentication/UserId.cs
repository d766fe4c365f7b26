using System.Buffers;

namespace Commerce.ServiceDefaults;

/// <summary>What may be the id of a user: it goes into keys, URLs and logs.</summary>
public static class UserId
{
    static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:@|-");

    /// <summary>1 to 64 characters of <c>A-Z a-z 0-9 _ . : @ | -</c>.</summary>
    public static bool IsValid(string? id) => id is { Length: >= 1 and <= 64 } && !id.AsSpan().ContainsAnyExcept(Allowed);
}
