using Commerce.Core;
using Commerce.Core.Coupons;
using Commerce.Core.Events;
using Commerce.Core.Messaging;
using Commerce.Core.Orders;
using Commerce.Workers.Consistency;
using Commerce.Workers.Coupons;
using Commerce.Workers.Database;
using Commerce.Workers.Events;
using Commerce.Workers.Idempotency;
using Commerce.Workers.Inventory;
using Commerce.Workers.Orders;
using Commerce.Workers.Outbox;
using Commerce.Workers.Payments;
using Commerce.Workers.Retention;

if (args is ["migrate", ..]) return await MigrateCommand.RunAsync(args);
if (args is ["reset"]) return await ResetCommand.RunAsync(args);
if (args is ["audit", ..]) return await ConsistencyCommand.RunAsync(args);

var builder = WebApplication.CreateBuilder(args);

builder.AddServiceDefaults();
builder.AddCommerceCore(commandTimeout: TimeSpan.FromSeconds(15));
builder.AddTopicCheck();
builder.AddTopicKeeper();
builder.AddConsumerLoop<CouponIssued, CouponIssuedHandler>(Topics.CouponIssued, group: "coupon-ledger", CouponIssuedHandler.Options);
builder.Services.AddHostedService<CouponSweeper>();
builder.Services.AddHostedService<CouponGateService>();
builder.AddConsumerLoop<OrderPlaced, OrderPlacedHandler>(Topics.OrderPlaced, group: "order-stock", OrderPlacedHandler.Options);
builder.Services.AddHostedService<InventoryGateService>();
builder.Services.AddHostedService<HoldReaper>();
builder.Services.AddHostedService<InventoryReconciliationService>();
builder.AddEvents();
builder.AddConsumerLoop<EventOpened, EventOpenHandler>(Topics.EventOpen, group: "event-stream", EventOpenHandler.Options);
foreach (var topic in (string[])[Topics.CouponIssued, Topics.OrderPlaced, Topics.EventOpen])
{
    var letters = Topics.DeadLetters(topic);
    builder.AddConsumerLoop<ArrivedDeadLetter, DeadLetterStore>(letters, group: $"{letters}-archive", new() { Retries = new() { Attempts = 5 } });
}

builder.Services.AddDependencyCheck("consumers", static (services, _) => Task.Run(services.GetRequiredService<ConsumerStates>().ThrowIfWaiting));
builder.AddOutboxRelay();
builder.Services.AddHostedService<PaymentReconciliationService>();
builder.Services.AddHostedService<IdempotencyPurger>();
builder.AddRetention();

var app = builder.Build();
app.UseServiceDefaults();
app.MapDefaultEndpoints();
return await TopicCheck.RunAsync(app);
