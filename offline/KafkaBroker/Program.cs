// KafkaBroker --port N: a Kafka broker for one machine, on 127.0.0.1:N. It speaks the real protocol on real sockets, and keeps
// its log in memory: when the process ends, topics, messages and group offsets are gone.
//
// Environment: LD_PRELOAD=…/fixedport.so and FIXED_PORT=N (see fixedport.c).
// Output:      "ready 127.0.0.1:N" when it serves; otherwise one line on standard error and exit code 1 (2: wrong arguments).
// Signals:     SIGTERM, SIGINT: end. SIGUSR1: the broker goes down, connections break and new ones are refused; SIGUSR2: it is up
//              again with its log intact, as a broker whose process stopped and came back.
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;
using KafkaBroker;

const int SigUsr1 = 10, SigUsr2 = 12;

if (args is not ["--port", var text] || !ushort.TryParse(text, CultureInfo.InvariantCulture, out var port) || port == 0)
    return Fail(2, "usage: KafkaBroker --port N");

// The mock cluster does not survive a failed bind, so the port is tried first.
try
{
    using var probe = new TcpListener(IPAddress.Loopback, port);
    probe.Start();
}
catch (SocketException e)
{
    return Fail(1, $"port {port} on 127.0.0.1 cannot be used: {e.Message}");
}

try
{
    using var cluster = new MockCluster(TopicList.Read(Path.Combine(AppContext.BaseDirectory, "topics.json")));
    if (cluster.Bootstrap != $"127.0.0.1:{port}")
        return Fail(1, $"the port could not be fixed: start it with LD_PRELOAD={MockCluster.Folder}/fixedport.so and FIXED_PORT={port}");

    var stopped = new TaskCompletionSource();
    using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
    using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
    using var down = PosixSignalRegistration.Create((PosixSignal)SigUsr1, context => Switch(context, cluster.GoDown));
    using var up = PosixSignalRegistration.Create((PosixSignal)SigUsr2, context => Switch(context, cluster.ComeUp));
    Console.WriteLine($"ready {cluster.Bootstrap}");
    await stopped.Task;
    return 0;

    void Stop(PosixSignalContext context)
    {
        context.Cancel = true; // ends below, after the cluster
        stopped.TrySetResult();
    }

    static void Switch(PosixSignalContext context, Action change)
    {
        context.Cancel = true; // the default action of these signals ends the process
        change();
    }
}
catch (DllNotFoundException)
{
    return Fail(1, $"{MockCluster.Folder}/librdkafka.so.1 is missing or does not load: `./commerce doctor` says how to get it");
}
catch (Exception e) when (e is IOException or InvalidOperationException or JsonException)
{
    return Fail(1, e.Message);
}

static int Fail(int code, string message)
{
    Console.Error.WriteLine($"KafkaBroker: {message}");
    return code;
}
