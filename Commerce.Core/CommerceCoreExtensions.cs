using Commerce.Core.Auditing;
using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Events;
using Commerce.Core.Idempotency;
using Commerce.Core.Inventory;
using Commerce.Core.Messaging;
using Commerce.Core.Orders;
using Commerce.Core.Outbox;
using Commerce.Core.Payments;
using Commerce.Core.Redis;
using Commerce.Core.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Commerce.Core;

/// <summary>What Api and Workers share.</summary>
public static class CommerceCoreExtensions
{
    /// <summary>Adds the ledger, the gate and what stands around them.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="commandTimeout">How long a statement may take: short where a user waits.</param>
    public static TBuilder AddCommerceCore<TBuilder>(this TBuilder builder, TimeSpan commandTimeout) where TBuilder : IHostApplicationBuilder
    {
        builder.AddCommerceConnections();
        builder.AddPaymentGateway();
        builder.AddPayments();
        builder.Services.AddSingleton(new LedgerOptions(commandTimeout));
        builder.Services.AddSingleton<Ledger>();
        builder.Services.AddSingleton<IdempotencyStore>();
        builder.Services.AddSingleton<Failpoints>();
        builder.Services.AddSingleton<RedisServers>();
        builder.Services.AddHostedService(services => services.GetRequiredService<RedisServers>());
        builder.Services.AddSingleton<DeadLetterProducer>();
        builder.Services.AddSingleton<DeadLetterStore>();
        builder.Services.AddSingleton<OutboxWriter>();
        builder.Services.AddOptions<OrderOptions>().BindConfiguration(OrderOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<OutboxStore>();
        builder.Services.AddSingleton<OrderLedger>();
        builder.Services.AddSingleton<OrderService>();
        builder.Services.AddSingleton<OrderReconciler>();
        builder.Services.AddSingleton<InventoryLedger>();
        builder.Services.AddSingleton<InventoryGate>();
        builder.Services.AddSingleton<InventoryReconciler>();
        builder.Services.AddSingleton<ProductAdministration>();
        builder.Services.AddSingleton<CouponLedger>();
        builder.Services.AddSingleton<CouponGate>();
        builder.Services.AddSingleton<CouponAdministration>();
        builder.Services.AddSingleton<CouponGateOpener>();
        builder.Services.AddSingleton<CouponPublisher>();
        builder.Services.AddSingleton<EventLedger>();
        builder.Services.AddSingleton<EventSchedule>();
        builder.Services.AddSingleton<EventAnnouncements>();
        builder.Services.AddSingleton<EventOpener>();
        builder.Services.AddSingleton<EventAdministration>();
        builder.Services.AddSingleton<Audit>();
        return builder;
    }
}
