using System.ComponentModel.DataAnnotations;

namespace Commerce.Core.WaitingRoom;

/// <summary>Options of waiting rooms. Configuration section <c>WaitingRoom</c>.</summary>
public sealed class WaitingRoomOptions
{
    public const string Section = "WaitingRoom";

    /// <summary>How long an admitted shopper can order: 1 s to 1 day. Default 10 minutes.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan PassLifetime { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long the place of a shopper is kept without requests: 1 s to 1 hour. Default 2 minutes.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan KeepPlace { get; init; } = TimeSpan.FromMinutes(2);
}
