using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text.Unicode;

namespace Commerce.ServiceDefaults;

/// <summary>
/// The id of a user in keys, columns and messages. Subjects of tokens are opaque and may be longer, or have any character; those get the id of
/// their hash, so that an id always fits and never needs to be escaped.
/// </summary>
public static class UserId
{
    /// <summary>The most characters a subject may have (OpenID Connect Core, section 2).</summary>
    public const int MaxSubjectLength = 255;

    const int MaxLength = 64;
    const string HashPrefix = "sha256:";

    /// <summary>What the longest subject may take in UTF-8. What does not fit has more characters than it may.</summary>
    const int MaxSubjectBytes = MaxSubjectLength * 4;

    static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:@|-");

    /// <summary>Whether this can be an id: 1 to 64 characters of <c>A-Z a-z 0-9 _ . : @ | -</c>.</summary>
    public static bool IsValid([NotNullWhen(true)] string? id) => id is { Length: >= 1 and <= MaxLength } && !id.AsSpan().ContainsAnyExcept(Allowed);

    /// <summary>
    /// The id for a subject: the subject itself where it can be one, else <c>sha256:</c> and its hash. Two subjects never share an id. Null where it is
    /// empty, longer than <see cref="MaxSubjectLength"/> characters, or no valid Unicode.
    /// </summary>
    public static string? OfSubject(string? subject)
    {
        // A subject that looks like a hash is hashed as well: nobody gets the id of another user by choosing a name.
        if (IsValid(subject) && !subject.StartsWith(HashPrefix, StringComparison.Ordinal)) return subject;
        if (string.IsNullOrEmpty(subject)) return null;
        Span<byte> utf8 = stackalloc byte[MaxSubjectBytes];
        if (Utf8.FromUtf16(subject, utf8, out _, out var length, replaceInvalidSequences: false) != OperationStatus.Done) return null;
        utf8 = utf8[..length];
        if (CountCharacters(utf8) > MaxSubjectLength) return null;
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(utf8, hash);
        return HashPrefix + Base64Url.EncodeToString(hash);
    }

    /// <summary>The id that somebody means who gives one as our answers show it, or a subject; empty, which is nobody's, where it is neither.</summary>
    public static string OfText(string text) => IsValid(text) ? text : OfSubject(text) ?? "";

    static int CountCharacters(ReadOnlySpan<byte> utf8)
    {
        var count = 0;
        foreach (var unit in utf8)
            if ((unit & 0xC0) != 0x80) count++;
        return count;
    }
}
