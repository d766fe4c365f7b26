using Commerce.Core;
using Commerce.Core.Messaging;
using Commerce.Workers.Consistency;
using Commerce.Workers.Coupons;
using Commerce.Workers.Database;
using Commerce.Workers.Events;
using Commerce.Workers.Idempotency;
using Commerce.Workers.Inventory;
using Commerce.Workers.Messaging;
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
builder.AddCouponConsumer();
builder.Services.AddHostedService<CouponSweeper>();
builder.Services.AddHostedService<CouponGateService>();
builder.AddOrderConsumer();
builder.Services.AddHostedService<InventoryGateService>();
builder.Services.AddHostedService<HoldReaper>();
builder.Services.AddHostedService<InventoryReconciliationService>();
builder.AddEvents();
builder.AddDeadLetterArchive(Topics.CouponIssued, Topics.OrderPlaced, Topics.EventOpen);
builder.AddConsumerWatch();
builder.AddOutboxRelay();
builder.Services.AddHostedService<PaymentReconciliationService>();
builder.Services.AddHostedService<IdempotencyPurger>();
builder.AddRetention();

var app = builder.Build();
app.UseServiceDefaults();
app.MapDefaultEndpoints();
return await TopicCheck.RunAsync(app);
