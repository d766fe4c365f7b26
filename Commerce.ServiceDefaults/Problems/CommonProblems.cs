using System.Collections.Concurrent;
using Microsoft.AspNetCore.WebUtilities;

namespace Commerce.ServiceDefaults;

/// <summary>Problems that belong to no feature.</summary>
public static class CommonProblems
{
    public static readonly ProblemType Validation = new(400, "validation", "The request is not valid.");
    public static readonly ProblemType Unauthorized = new(401, "unauthorized", "The request lacks a valid access token.");
    public static readonly ProblemType Forbidden = new(403, "forbidden", "You are not allowed to do this.");
    public static readonly ProblemType SubjectNotUsable = new(403, "subject-not-usable", "The subject of the access token cannot be used.");
    public static readonly ProblemType NotFound = new(404, "not-found", "This address does not exist.");
    public static readonly ProblemType PayloadTooLarge = new(413, "payload-too-large", "The request is too large.");
    public static readonly ProblemType UnsupportedMediaType = new(415, "unsupported-media-type", "The server does not accept this kind of body.");
    public static readonly ProblemType RateLimited = new(429, "rate-limited", "Too many requests.");
    public static readonly ProblemType InternalError = new(500, "internal-error", "The server failed to process the request.");
    public static readonly ProblemType Overloaded = new(503, "overloaded", "Too many concurrent requests. Try again.", TimeSpan.FromSeconds(1));
    public static readonly ProblemType DependencyUnavailable = new(503, "dependency-unavailable", "A service that the server needs is unavailable. Try again.", TimeSpan.FromSeconds(2));

    static readonly ConcurrentDictionary<int, ProblemType> ByStatus = new(
        new[] { Validation, Unauthorized, Forbidden, NotFound, PayloadTooLarge, UnsupportedMediaType, RateLimited, InternalError }.ToDictionary(p => p.Status));

    /// <summary>Returns the problem for a bare status code.</summary>
    internal static ProblemType ForStatus(int status) => ByStatus.GetOrAdd(status, static code =>
    {
        var phrase = ReasonPhrases.GetReasonPhrase(code) is { Length: > 0 } known ? known : $"Status {code}";
        return new ProblemType(code, phrase.Replace(' ', '-').ToLowerInvariant(), phrase + ".");
    });
}
