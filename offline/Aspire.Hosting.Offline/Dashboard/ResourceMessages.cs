using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Dashboard;

/// <summary>Snapshots as the dashboard wants them. The numbers are the field numbers of its dashboard_service.proto.</summary>
internal static class ResourceMessages
{
    public static ProtobufMessage Initial(IEnumerable<ResourceEvent> resources) =>
        new ProtobufMessage().Sub(1, new ProtobufMessage().Subs(1, resources.Select(Resource)));

    public static ProtobufMessage Change(ResourceEvent resource) =>
        new ProtobufMessage().Sub(2, new ProtobufMessage().Sub(1, new ProtobufMessage().Sub(2, Resource(resource))));

    public static ProtobufMessage Lines(IEnumerable<LogLine> lines) => new ProtobufMessage().Subs(1, lines.Select(l =>
        new ProtobufMessage().Text(1, l.Content).Present(2, l.IsErrorMessage ? 1 : 0).Number(3, l.LineNumber)));

    public static ProtobufMessage Result(ExecuteCommandResult result) =>
        new ProtobufMessage().Number(1, result.Success ? 1 : result.Canceled ? 3 : 2).Text(3, result.Message);

    static ProtobufMessage Resource(ResourceEvent e)
    {
        var s = e.Snapshot;
        return new ProtobufMessage()
            .Text(1, e.ResourceId).Text(2, s.ResourceType).Text(3, e.Resource.Name).Text(4, e.ResourceId).Text(5, s.State?.Text)
            .Time(6, s.CreationTimeStamp)
            .Subs(7, s.EnvironmentVariables.Select(v => new ProtobufMessage().Text(1, v.Name).Text(2, v.Value).Flag(3, v.IsFromSpec)))
            .Subs(11, s.Commands.Select(Command))
            .Subs(12, [.. WellKnown(e).Select(p => Property(p.Name, p.Value, false)), .. s.Properties.Select(p => Property(p.Name, p.Value, p.IsSensitive))])
            .Subs(13, s.Urls.Select(u => new ProtobufMessage().Text(1, u.Name).Text(2, u.Url).Flag(3, u.IsInternal).Flag(4, u.IsInactive)
                .Sub(5, new ProtobufMessage().Number(1, u.DisplayProperties.SortOrder).Text(2, u.DisplayProperties.DisplayName))))
            .Text(14, s.State?.Style)
            .Subs(17, s.HealthReports.Select(r => new ProtobufMessage().Present(1, Health(r.Status)).Text(2, r.Name).Text(3, r.Description)
                .Text(4, r.ExceptionText).Time(5, r.LastRunAt)))
            .Time(18, s.StartTimeStamp).Time(19, s.StopTimeStamp)
            .Subs(20, s.Relationships.Select(r => new ProtobufMessage().Text(1, r.ResourceName).Text(2, r.Type)))
            .Flag(21, s.IsHidden);
    }

    static IEnumerable<(string Name, string? Value)> WellKnown(ResourceEvent e) =>
    [
        ("resource.uid", e.ResourceId),
        ("resource.name", e.ResourceId),
        ("resource.type", e.Snapshot.ResourceType),
        ("resource.displayName", e.Resource.Name),
        ("resource.state", e.Snapshot.State?.Text),
        ("resource.exitCode", e.Snapshot.ExitCode?.ToString(CultureInfo.InvariantCulture)),
        ("resource.startTime", e.Snapshot.StartTimeStamp?.ToString("O")),
        ("resource.stopTime", e.Snapshot.StopTimeStamp?.ToString("O")),
        ("resource.healthState", e.Snapshot.HealthStatus?.ToString()),
    ];

    static ProtobufMessage Property(string name, object? value, bool isSensitive) =>
        new ProtobufMessage().Text(1, name).Sub(3, ProtobufMessage.Value(value)).Present(4, isSensitive ? 1 : 0);

    static ProtobufMessage Command(ResourceCommandSnapshot c) => new ProtobufMessage()
        .Text(1, c.Name).Text(2, c.DisplayName).Text(3, c.ConfirmationMessage).Flag(5, c.IsHighlighted).Text(6, c.IconName)
        .Present(7, (long?)c.IconVariant).Text(8, c.DisplayDescription).Number(9, (long)c.State);

    static long? Health(HealthStatus? status) => status switch
    {
        HealthStatus.Healthy => 0,
        HealthStatus.Unhealthy => 1,
        HealthStatus.Degraded => 2,
        _ => null,
    };
}
