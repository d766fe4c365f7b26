
namespace Commerce.Core.Messaging;

/// <summary>Adds consumers to a host.</summary>
public static class ConsumerLoopExtensions
{
    /// <summary>Consumes <paramref name="topic"/> in the group <paramref name="group"/>. Creates the handler if it is not registered.</summary>
    public static void AddConsumerLoop<T, THandler>(this IHostApplicationBuilder builder, string topic, string group, ConsumerLoopOptions options)
        where THandler : IMessageHandler<T>
    {
        // AddHostedService would skip a second loop with the same message type.
        builder.Services.AddSingleton<IHostedService>(services => ActivatorUtilities.CreateInstance<ConsumerLoop<T>>(
            services, topic, () => services.GetRequiredService<ConsumerFactory>().Create(group, options.FetchWait), ActivatorUtilities.GetServiceOrCreateInstance<THandler>(services), options));
    }
}
