using System.Net;
using System.Text.Json.Nodes;

namespace Commerce.Tests;

/// <summary>Reads responses of the Api.</summary>
public static class Answers
{
    /// <summary>Fails unless the response is this problem in the format of RFC 9457.</summary>
    public static async Task ShouldBeProblemAsync(this HttpResponseMessage answer, HttpStatusCode status, string slug)
    {
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == status, $"{(int)answer.StatusCode} instead of {(int)status}: {text}");
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        var problem = JsonNode.Parse(text)!;
        Assert.Equal("urn:commerce:" + slug, (string?)problem["type"]);
        Assert.Equal((int)status, (int?)problem["status"]);
    }

    /// <summary>The slug of a problem; "" for a success.</summary>
    public static async Task<string> SlugAsync(this HttpResponseMessage answer) =>
        answer.IsSuccessStatusCode ? "" : ((string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["type"]!)["urn:commerce:".Length..];
}
