using System.Collections.Concurrent;
using Microsoft.AspNetCore.WebUtilities;

namespace Commerce.ServiceDefaults;

/// <summary>The problems that belong to no feature.</summary>
public static class CommonProblems
{
    public static readonly Problem Validation = new(400, "validation", "The request is not valid.");
    public static readonly Problem Unauthorized = new(401, "unauthorized", "The request lacks a valid access token.");
    public static readonly Problem Forbidden = new(403, "forbidden", "The caller may not do this.");
    public static readonly Problem SubjectNotUsable = new(403, "subject-not-usable", "The subject of the access token cannot be used.");
    public static readonly Problem NotFound = new(404, "not-found", "There is nothing at this address.");
    public static readonly Problem PayloadTooLarge = new(413, "payload-too-large", "The request is too large.");
    public static readonly Problem UnsupportedMediaType = new(415, "unsupported-media-type", "The server does not read a body of this kind.");
    public static readonly Problem RateLimited = new(429, "rate-limited", "Too many requests.");
    public static readonly Problem InternalError = new(500, "internal-error", "The server failed to answer.");
    public static readonly Problem Overloaded = new(503, "overloaded", "Too many requests are under way. Try again.");
    public static readonly Problem DependencyUnavailable = new(503, "dependency-unavailable", "The server cannot reach what it needs. Try again.");

    static readonly ConcurrentDictionary<int, Problem> ByStatus = new(
        new[] { Validation, Unauthorized, Forbidden, NotFound, PayloadTooLarge, UnsupportedMediaType, RateLimited, InternalError }.ToDictionary(p => p.Status));

    /// <summary>The problem that a bare status stands for.</summary>
    internal static Problem ForStatus(int status) => ByStatus.GetOrAdd(status, static code =>
    {
        var phrase = ReasonPhrases.GetReasonPhrase(code) is { Length: > 0 } known ? known : $"Status {code}";
        return new Problem(code, phrase.Replace(' ', '-').ToLowerInvariant(), phrase + ".");
    });
}
