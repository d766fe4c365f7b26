// MockKafkaBroker --port N runs librdkafka's mock cluster, with the real protocol on 127.0.0.1:N, in memory. Its topics are those of
// topics.json next to the program, a JSON object of names and partition counts. Other topics are created on first use. SIGTERM and
// SIGINT end it. On SIGUSR1 the broker goes down, and on SIGUSR2 it returns with its log.
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using MockKafkaBroker;

const int SigUsr1 = 10, SigUsr2 = 12;
if (args is not ["--port", var text] || !ushort.TryParse(text, CultureInfo.InvariantCulture, out var port))
{
    Console.Error.WriteLine("usage: MockKafkaBroker --port N");
    return 2;
}
var file = Path.Combine(AppContext.BaseDirectory, "topics.json");
using var topics = JsonDocument.Parse(File.Exists(file) ? File.ReadAllText(file) : "{}");
using var cluster = new MockCluster(port, topics.RootElement.EnumerateObject().ToDictionary(topic => topic.Name, topic => topic.Value.GetInt32()));
var stopped = new TaskCompletionSource();
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var down = PosixSignalRegistration.Create((PosixSignal)SigUsr1, context => Switch(context, cluster.GoDown));
using var up = PosixSignalRegistration.Create((PosixSignal)SigUsr2, context => Switch(context, cluster.ComeUp));
Console.WriteLine($"librdkafka {MockCluster.Version} ready on 127.0.0.1:{port}");
await stopped.Task;
return 0;

void Stop(PosixSignalContext context)
{
    context.Cancel = true;
    stopped.TrySetResult();
}

static void Switch(PosixSignalContext context, Action change)
{
    context.Cancel = true;
    change();
}
