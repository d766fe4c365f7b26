using System.ComponentModel.DataAnnotations;

namespace Commerce.Workers.Events;

/// <summary>
/// The services that open and close events. Configuration section <c>Events</c>. Each of them alone opens all events eventually.
/// </summary>
sealed class EventsOptions
{
    public const string Section = "Events";

    /// <summary>Whether the listener for expired Redis keys runs.</summary>
    public bool Listen { get; set; } = true;

    /// <summary>Whether the schedule in Redis is polled.</summary>
    public bool Poll { get; set; } = true;

    /// <summary>How often the database is queried: 1 s to 1 h.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan RecoveryInterval { get; set; } = TimeSpan.FromMinutes(1);
}

/// <summary>Adds the services that open and close events.</summary>
static class EventsExtensions
{
    public static WebApplicationBuilder AddEvents(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<EventsOptions>().BindConfiguration(EventsOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        var options = builder.Configuration.GetSection(EventsOptions.Section).Get<EventsOptions>() ?? new();
        if (options.Listen) builder.Services.AddHostedService<RedisKeyExpirationListener>();
        if (options.Poll) builder.Services.AddHostedService<EventSchedulePoller>();
        builder.Services.AddHostedService<EventRecoveryScheduler>();
        return builder;
    }
}
