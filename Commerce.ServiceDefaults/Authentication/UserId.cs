using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text.Unicode;

namespace Commerce.ServiceDefaults;

/// <summary>
/// The id of a user in keys, columns and messages. The subject of a token may be long and may contain any character. The id of such a
/// subject is its hash, so every id fits its column and needs no escaping.
/// </summary>
public static class UserId
{
    /// <summary>The maximum number of characters of a subject (OpenID Connect Core, section 2).</summary>
    public const int MaxSubjectLength = 255;

    const int MaxLength = 64;
    const string HashPrefix = "sha256:";

    /// <summary>The maximum size of a subject in UTF-8. A larger subject has too many characters.</summary>
    const int MaxSubjectBytes = MaxSubjectLength * 4;

    static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:@|-");

    /// <summary>Whether the text is a valid id: 1 to 64 characters of <c>A-Z a-z 0-9 _ . : @ | -</c>.</summary>
    public static bool IsValid([NotNullWhen(true)] string? id) => id is { Length: >= 1 and <= MaxLength } && !id.AsSpan().ContainsAnyExcept(Allowed);

    /// <summary>
    /// Returns the id of a subject. It is the subject itself if that is a valid id, otherwise <c>sha256:</c> and its hash. Two subjects
    /// never share an id. Returns null if the subject is empty, longer than <see cref="MaxSubjectLength"/> characters, or invalid
    /// Unicode.
    /// </summary>
    public static string? OfSubject(string? subject)
    {
        // A subject that looks like a hash is hashed as well, so that nobody can choose a name that is another user's id.
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

    /// <summary>
    /// Returns the id for a text that is either an id or a subject. Returns an empty string, which is nobody's id, if it is neither.
    /// </summary>
    public static string OfText(string text) => IsValid(text) ? text : OfSubject(text) ?? "";

    static int CountCharacters(ReadOnlySpan<byte> utf8)
    {
        var count = 0;
        foreach (var unit in utf8)
            if ((unit & 0xC0) != 0x80) count++;
        return count;
    }
}
