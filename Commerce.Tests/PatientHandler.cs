using System.Diagnostics;
using System.Net;

namespace Commerce.Tests;

/// <summary>
/// Sends a request again that was answered with 503: on a machine that stalls, a dependency's deadline passes now and then. Who wants to see
/// the 503 itself, or to know that a first try was of unknown outcome, uses a client without it.
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
