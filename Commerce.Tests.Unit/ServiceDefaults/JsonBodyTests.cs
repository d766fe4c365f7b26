using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Commerce.Tests.Unit.ServiceDefaults;

/// <summary>An unreadable body is the caller's mistake, and the response names it.</summary>
public sealed class JsonBodyTests
{
    const string Good = """{"name":"봄","amount":5,"lines":[{"id":1,"quantity":2}]}""";

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/json; charset=utf-8")]
    [InlineData("application/json; charset=\"utf-8\"")]
    [InlineData("application/json;charset=UTF-8")]
    [InlineData("application/problem+json; charset=\"Utf-8\"")]
    public async Task A_legal_content_type_is_read(string contentType)
    {
        await using var api = await StartAsync();
        var (status, body, _) = await api.SendAsync(HttpMethod.Post, "/tolerant", Body(Encoding.UTF8.GetBytes(Good), contentType));
        Assert.Equal((200, "봄"), (status, body.GetString()));
    }

    [Theory]
    [InlineData("utf-16")]
    [InlineData("\"iso-8859-1\"")]
    public async Task A_known_charset_is_decoded(string charset)
    {
        await using var api = await StartAsync();
        var bytes = Encoding.GetEncoding(charset.Trim('"')).GetBytes(Good.Replace("봄", "é", StringComparison.Ordinal));
        var (status, body, _) = await api.SendAsync(HttpMethod.Post, "/tolerant", Body(bytes, $"application/json; charset={charset}"));
        Assert.Equal((200, "é"), (status, body.GetString()));
    }

    [Theory]
    [InlineData("application/json; charset=nonsense")]
    [InlineData("application/json; charset=\"nonsense\"")]
    [InlineData("application/json; charset=utf8")]
    [InlineData("application/json; charset=utf-7")]
    [InlineData("application/json; charset=")]
    [InlineData("application/json; charset=\"\"")]
    [InlineData("text/plain")]
    [InlineData("rubbish")]
    [InlineData(null)]
    public async Task What_is_not_JSON_in_a_known_charset_is_415(string? contentType)
    {
        await using var api = await StartAsync();
        foreach (var path in new[] { "/tolerant", "/strict", "/optional-key" })
            await api.ExpectProblemAsync(415, "unsupported-media-type", HttpMethod.Post, path, Body(Encoding.UTF8.GetBytes(Good), contentType));
    }

    [Theory]
    [InlineData("gzip", 415)]
    [InlineData("br", 415)]
    [InlineData("nonsense", 415)]
    [InlineData("identity, gzip", 415)]
    [InlineData("identity", 200)]
    public async Task A_compressed_body_is_415(string encoding, int status)
    {
        await using var api = await StartAsync();
        using var compressed = new MemoryStream();
        await using (var gzip = new GZipStream(compressed, CompressionMode.Compress, leaveOpen: true)) await gzip.WriteAsync(Encoding.UTF8.GetBytes(Good), TestContext.Current.CancellationToken);
        using var content = Body(status == 200 ? Encoding.UTF8.GetBytes(Good) : compressed.ToArray(), "application/json");
        content.Headers.TryAddWithoutValidation("Content-Encoding", encoding);
        using var answer = await api.Client.PostAsync("/tolerant", content, TestContext.Current.CancellationToken);
        Assert.Equal(status, (int)answer.StatusCode);
        if (status == 415) Assert.Equal(["identity"], answer.Headers.GetValues("Accept-Encoding"));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" \r\n\t")]
    [InlineData("null")]
    [InlineData("\uFEFF")]
    public async Task No_body_is_told_in_a_sentence_for_people(string text)
    {
        await using var api = await StartAsync();
        foreach (var chunked in new[] { false, true })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/tolerant") { Content = Body(Encoding.UTF8.GetBytes(text), "application/json") };
            request.Headers.TransferEncodingChunked = chunked;
            using var answer = await api.Client.SendAsync(request, TestContext.Current.CancellationToken);
            Assert.Equal(400, (int)answer.StatusCode);
            var problem = await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
            Assert.StartsWith("The request needs a ", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        }

        var nothing = await api.ExpectProblemAsync(400, "validation", HttpMethod.Post, "/tolerant");
        Assert.StartsWith("The request needs a ", nothing.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("{} {}")]
    [InlineData("""{"name":"x",}""")]
    public async Task Broken_JSON_is_told_with_its_place(string text)
    {
        await using var api = await StartAsync();
        var problem = await api.ExpectProblemAsync(400, "validation", HttpMethod.Post, "/tolerant", Text(text));
        Assert.Contains("line 1", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/tolerant", "{}", "name: Required.", "amount: Required.", "lines: Required.")]
    [InlineData("/tolerant", """{"name":"x","amount":1,"lines":[{"quantity":1},{"id":1}]}""", "lines[0].id: Required.", "lines[1].quantity: Required.")]
    [InlineData("/tolerant", """{"name":null,"amount":null,"lines":null}""", "name: Required; must not be null.", "amount: Required; must not be null.", "lines: Required; must not be null.")]
    [InlineData("/tolerant", """{"name":1,"amount":1.5,"lines":{}}""", "name: Must be a JSON string: \"…\".", "amount: Must be a whole number from -2,147,483,648 to 2,147,483,647.", "lines: Must be a JSON array: […].")]
    [InlineData("/tolerant", """{"name":"x","amount":1,"lines":[null,5]}""", "lines[0]: Must not be null.", "lines[1]: Must be a JSON object: {…}.")]
    [InlineData("/tolerant", """{"name":"x","Name":"y","amount":1,"lines":[]}""", "name: Given more than once.")]
    [InlineData("/tolerant", """{"name":"\ud800","amount":1,"lines":[]}""", "name: Must be a JSON string: \"…\".")]
    [InlineData("/tolerant", """{"\ud800":1,"name":"x","amount":1,"lines":[{"id":1,"quantity":1,"\udc00":2}]}""", "body: The name of a member is not valid Unicode.", "lines[0]: The name of a member is not valid Unicode.")]
    [InlineData("/tolerant", """{"name":"x","amount":1,"lines":[],"at":"\ud80000000000"}""", "at: Must be a time with its UTC offset, such as 2027-01-01T10:00:00+09:00 or 2027-01-01T01:00:00Z.")]
    [InlineData("/tolerant", "[]", "body: Must be a JSON object: {…}.")]
    [InlineData("/tolerant", "7", "body: Must be a JSON object: {…}.")]
    [InlineData("/strict", """{"name":"x","amount":1,"lines":[{"id":1,"quantity":1,"price":1}],"stock":5}""", "lines[0].price: This member does not exist.", "stock: This member does not exist.")]
    [InlineData("/complete", """{"name":"x","amount":1,"lines":[],"kind":5}""", "kind: This member does not exist.", "note: Required; may be null.", "at: Required; may be null.", "open: Required.")]
    public async Task Every_mistake_is_told_with_the_name_of_its_member(string path, string text, params string[] mistakes)
    {
        await using var api = await StartAsync();
        var problem = await api.ExpectProblemAsync(400, "validation", path == "/complete" ? HttpMethod.Put : HttpMethod.Post, path, Text(text));
        Assert.Equal(mistakes.Order(), problem.GetProperty("errors").EnumerateObject().Select(e => $"{e.Name}: {e.Value[0].GetString()}").Order());
    }

    [Theory]
    [InlineData("{\"?\":1}")]
    [InlineData("{\"name\":\"?\"}")]
    [InlineData("{\"at\":\"2027-01-01?T10:00:00Z\"}")]
    public async Task Bytes_that_are_no_UTF8_are_the_caller_s_mistake(string text)
    {
        await using var api = await StartAsync();
        byte[] bytes = [.. Encoding.UTF8.GetBytes(text).Select(b => b == '?' ? (byte)0xFF : b)];
        foreach (var path in new[] { "/tolerant", "/strict" })
            await api.ExpectProblemAsync(400, "validation", HttpMethod.Post, path, Body(bytes, "application/json"));
    }

    [Fact]
    public async Task What_has_a_default_may_be_left_out_where_nothing_is_replaced_and_unknown_members_are_ignored()
    {
        await using var api = await StartAsync();
        var (status, _, _) = await api.SendAsync(HttpMethod.Post, "/tolerant", Text("""{"name":"x","amount":1,"lines":[],"unknown":{"deep":[1]}}"""));
        Assert.Equal(200, status);
        (status, _, _) = await api.SendAsync(HttpMethod.Put, "/complete", Text("""{"name":"x","amount":1,"lines":[],"note":null,"at":null,"open":false}"""));
        Assert.Equal(200, status);
    }

    [Theory]
    [InlineData("2027-01-01T10:00:00")]
    [InlineData("2027-01-01T10:00:00.123")]
    [InlineData("2027-01-01T10:00")]
    [InlineData("2027-01-01")]
    [InlineData("2027-01-01 10:00:00Z")]
    [InlineData("tomorrow")]
    public async Task A_time_without_its_offset_is_refused_and_the_offset_named(string time)
    {
        await using var api = await StartAsync();
        var problem = await api.ExpectProblemAsync(400, "validation", HttpMethod.Post, "/tolerant", Text($$"""{"name":"x","amount":1,"lines":[],"at":"{{time}}"}"""));
        Assert.Contains("offset", problem.GetProperty("errors").GetProperty("at")[0].GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("2027-01-01T10:00:00Z")]
    [InlineData("2027-01-01T19:00:00+09:00")]
    [InlineData("2027-01-01T05:00:00.000-05:00")]
    public async Task A_time_with_its_offset_means_one_moment(string time)
    {
        await using var api = await StartAsync();
        var (status, body, _) = await api.SendAsync(HttpMethod.Post, "/time", Text($$"""{"name":"x","amount":1,"lines":[],"at":"{{time}}"}"""));
        Assert.Equal(200, status);
        Assert.Equal(new DateTimeOffset(2027, 1, 1, 10, 0, 0, TimeSpan.Zero), DateTimeOffset.Parse(body.GetString()!, CultureInfo.InvariantCulture));
    }

    static Task<TestApi> StartAsync() => TestApi.StartAsync(app =>
    {
        app.MapPost("/tolerant", (Thing thing) => Results.Json(thing.Name));
        app.MapPost("/time", (Thing thing) => Results.Json(thing.At));
        app.MapPost("/strict", (Thing thing) => Results.Json(thing.Name)).WithMetadata(BodyRule.Strict);
        app.MapPost("/optional-key", (Thing thing, string? key) => Results.Json(thing.Name + key));
        app.MapPut("/complete", (Thing thing) => Results.Json(thing.Name)).WithMetadata(BodyRule.Complete);
    });

    static StringContent Text(string text) => new(text, Encoding.UTF8, "application/json");

    static ByteArrayContent Body(byte[] bytes, string? contentType)
    {
        var content = new ByteArrayContent(bytes);
        if (contentType is not null) content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        return content;
    }

    sealed record Thing(string Name, int Amount, IReadOnlyList<Line> Lines, string? Note, DateTimeOffset? At = null, bool Open = true);

    sealed record Line(long Id, int Quantity);
}
