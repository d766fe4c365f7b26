using Commerce.Core.Messaging;

namespace Commerce.Workers.Messaging;

/// <summary>Registers the health of the consumers.</summary>
static class ConsumerWatchExtensions
{
    public static WebApplicationBuilder AddConsumerWatch(this WebApplicationBuilder builder)
    {
        builder.Services.AddDependencyCheck("consumers", static (services, _) =>
        {
            services.GetRequiredService<ConsumerStates>().ThrowIfWaiting();
            return Task.CompletedTask;
        });
        return builder;
    }
}
