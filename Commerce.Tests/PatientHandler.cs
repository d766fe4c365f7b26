using System.Diagnostics;
using System.Net;

namespace Commerce.Tests;

/// <summary>
/// Repeats requests that got 503, because on a slow machine a dependency times out occasionally. Tests that expect the 503 use a
/// client without this handler.
/// </summary>
sealed class PatientHandler() : DelegatingHandler(new SocketsHttpHandler())
{
    static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            var answer = await base.SendAsync(request, cancellationToken);
            if (answer.StatusCode != HttpStatusCode.ServiceUnavailable || Stopwatch.GetElapsedTime(start) > Timeout) return answer;
            answer.Dispose();
            await Task.Delay(200, cancellationToken);
        }
    }
}
