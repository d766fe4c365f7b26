using System.Diagnostics;
using System.Text;
using Confluent.Kafka;

namespace Commerce.Core.Messaging;

/// <summary>Propagates the trace in the header <c>traceparent</c>, and starts the spans of producing and handling messages.</summary>
public static class MessageTrace
{
    const string Header = "traceparent";

    /// <summary>
    /// Starts the span of a produced message and adds the trace to the headers. Both results are null if nobody listens to traces.
    /// </summary>
    public static (Activity? Span, Headers? Headers) StartPublish(string topic)
    {
        if (!CommerceTelemetry.Source.HasListeners()) return default;
        var span = CommerceTelemetry.Source.StartActivity($"{topic} publish", ActivityKind.Producer);
        Tag(span, topic, "send");
        return (span, Activity.Current?.Id is { } id ? new Headers { { Header, Encoding.ASCII.GetBytes(id) } } : null);
    }

    /// <summary>
    /// Starts the span of a relayed message in its original trace and adds the trace to the headers. Many spans may run at once, so the
    /// new span does not become the current one.
    /// </summary>
    public static (Activity? Span, Headers Headers) StartRelay(string topic, string? traceparent)
    {
        var span = CommerceTelemetry.Source.HasListeners() ? StartRelaySpan(topic, traceparent) : null;
        var headers = new Headers();
        if ((span?.Id ?? traceparent) is { } id) headers.Add(Header, Encoding.ASCII.GetBytes(id));
        return (span, headers);
    }

    static Activity? StartRelaySpan(string topic, string? traceparent)
    {
        var current = Activity.Current;
        var parent = ActivityContext.TryParse(traceparent, null, isRemote: true, out var context) ? context : default;
        var span = CommerceTelemetry.Source.StartActivity($"{topic} publish", ActivityKind.Producer, parent);
        Activity.Current = current;
        Tag(span, topic, "send");
        return span;
    }

    /// <summary>Returns the trace of a message, or the default value if it has none.</summary>
    public static ActivityContext ContextOf(Headers? headers) =>
        headers is not null && headers.TryGetLastBytes(Header, out var bytes)
        && ActivityContext.TryParse(Encoding.ASCII.GetString(bytes), null, isRemote: true, out var context)
            ? context
            : default;

    /// <summary>Starts the span of a batch. It belongs to the trace of the first message and is linked to the others.</summary>
    public static Activity? StartProcess(string topic, IReadOnlyList<ActivityContext> messages)
    {
        if (!CommerceTelemetry.Source.HasListeners()) return null;
        var traced = messages.Where(m => m != default).ToList();
        var span = CommerceTelemetry.Source.StartActivity($"{topic} process", ActivityKind.Consumer,
            traced.Count > 0 ? traced[0] : default, links: traced.Skip(1).Select(m => new ActivityLink(m)));
        Tag(span, topic, "process");
        span?.SetTag("messaging.batch.message_count", messages.Count);
        return span;
    }

    /// <summary>
    /// Adds the batch to the traces of the other messages, from its start to now, linked to the span that did the work.
    /// </summary>
    public static void LinkTraces(Activity? batch, IReadOnlyList<ActivityContext> messages)
    {
        if (batch is null) return;
        foreach (var message in messages.Where(m => m != default && m.TraceId != batch.TraceId))
            CommerceTelemetry.Source.StartActivity(batch.OperationName, ActivityKind.Consumer, message,
                links: [new ActivityLink(batch.Context)], startTime: batch.StartTimeUtc)?.Dispose();
    }

    static void Tag(Activity? span, string topic, string operation) =>
        span?.SetTag("messaging.system", "kafka").SetTag("messaging.destination.name", topic).SetTag("messaging.operation.type", operation);
}
