using Commerce.Core.Administration;
using Commerce.Core.Catalog;
using Commerce.Core.Consistency;
using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Events;
using Commerce.Core.Idempotency;
using Commerce.Core.Inventory;
using Commerce.Core.Messaging;
using Commerce.Core.Orders;
using Commerce.Core.Outbox;
using Commerce.Core.Payments;
using Commerce.Core.Reconciliation;
using Commerce.Core.Redis;
using Commerce.Core.Retention;
using Commerce.Core.WaitingRoom;

namespace Commerce.Core;

/// <summary>Services that Api and Workers share.</summary>
public static class CommerceCoreExtensions
{
    /// <summary>Adds <see cref="TopicCheck"/> for services that run it, and starts <see cref="TopicWatch"/>.</summary>
    public static TBuilder AddTopicCheck<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        builder.Services.AddSingleton<TopicCheck>();
        builder.Services.AddHostedService(provider => provider.GetRequiredService<TopicCheck>());
        builder.Services.AddHostedService(provider => provider.GetRequiredService<TopicWatch>());
        return builder;
    }

    /// <summary>Adds database, gates, repositories and the services that use them.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="commandTimeout">The timeout of a statement or commit. It is short where a user waits. The setting
    /// <c>Database:CommandTimeout</c> overrides it.</param>
    public static TBuilder AddCommerceCore<TBuilder>(this TBuilder builder, TimeSpan commandTimeout) where TBuilder : IHostApplicationBuilder
    {
        builder.AcceptRenamedSettings();
        commandTimeout = builder.Configuration.GetValue("Database:CommandTimeout", commandTimeout);
        builder.AddCommerceConnections(commandTimeout);
        var services = builder.Services;
        services.AddSingleton(new DatabaseOptions(commandTimeout));
        services.AddSingleton<MySqlDatabase>();
        services.AddSingleton<IdempotencyStore>();
        services.AddSingleton<InFlightRequests>();
        services.AddSingleton<RedisServers>();
        services.AddHostedService(provider => provider.GetRequiredService<RedisServers>());

        builder.AddCatalog(commandTimeout);
        services.AddSingleton<TopicPartitions>();
        services.AddSingleton<TopicWatch>();
        services.AddSingleton<ConsumerStates>();
        services.AddSingleton<ConsumerLag>();
        services.AddDependencyCheck("topics", static (provider, token) => provider.GetRequiredService<TopicPartitions>().CheckAsync(token));
        services.AddSingleton<DeadLetterProducer>();
        services.AddSingleton<DeadLetterStore>();
        services.AddSingleton<OutboxStore>();
        services.AddSingleton<OutboxWriter>();

        services.AddSingleton<CouponRepository>();
        services.AddSingleton<CouponGate>();
        services.AddSingleton<CouponGateInitializer>();
        services.AddSingleton<CouponGateRebuilder>();
        services.AddSingleton<CouponIssueTracker>();
        services.AddSingleton<CouponPublisher>();
        services.AddSingleton<CouponAdministration>();

        services.AddOptions<OrderOptions>().BindConfiguration(OrderOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<OrderRepository>();
        services.AddSingleton<IHoldOwners>(provider => provider.GetRequiredService<OrderRepository>());
        services.AddSingleton<OrderService>();
        services.AddSingleton<OrderFulfilment>();
        services.AddSingleton<AdminActionStore>();
        services.AddReconciler<OrderReconciler>();
        services.AddSingleton<InventoryRepository>();
        services.AddSingleton<InventoryGate>();
        services.AddSingleton<InventoryGateRebuilder>();
        services.AddReconciler<InventoryReconciler>();
        services.AddSingleton<ProductAdministration>();
        builder.AddPayments();

        services.AddSingleton<EventRepository>();
        services.AddSingleton<EventSchedule>();
        services.AddSingleton<EventAnnouncements>();
        services.AddSingleton<EventOpener>();
        services.AddSingleton<EventAdministration>();

        services.AddOptions<WaitingRoomOptions>().BindConfiguration(WaitingRoomOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<WaitingRoomRepository>();
        services.AddSingleton<WaitingRoomCatalog>();
        services.AddSingleton<WaitingRoomGate>();
        services.AddSingleton<WaitingRooms>();

        services.AddSingleton<RetentionStore>();
        services.AddSingleton<ConsistencyCheck>();
        return builder;
    }
}
