using Commerce.Api;
using Commerce.Api.Auditing;
using Commerce.Api.Coupons;
using Commerce.Api.Events;
using Commerce.Api.Messaging;
using Commerce.Api.Orders;
using Commerce.Api.Outbox;
using Commerce.Api.Payments;
using Commerce.Api.Products;
using Commerce.Api.Reconciliation;
using Commerce.Core;
using Commerce.Core.Messaging;

var builder = WebApplication.CreateBuilder(args);

builder.AddServiceDefaults();
builder.AddCommerceAuthentication();
builder.AddCommerceCore(commandTimeout: TimeSpan.FromSeconds(3));
builder.AddTopicCheck();
builder.RequireForReadiness("redis");
builder.AddCouponIssuing();
builder.AddEvents();
builder.AddLimits();
builder.Services.AddSingleton(typeof(SharedAnswer<>));
builder.AddContract();
builder.Services.ConfigureHttpJsonOptions(json => ApiJson.Configure(json.SerializerOptions));

var app = builder.Build();

app.UseEventStream();
app.UsePage();
app.UseServiceDefaults();
app.UseReadLimits();
app.UseVisibleAddresses();

app.MapDefaultEndpoints();
app.MapDevelopmentTokens();
app.MapOpenApi().AllowAnonymous();

app.MapCoupons();
app.MapCouponAdministration();
app.MapEvents();
app.MapEventAdministration();
app.MapProducts();
app.MapProductAdministration();
app.MapOrders();
app.MapOrderAdministration();
app.MapPayments();
app.MapPaymentAdministration();
app.MapReconciliation();
app.MapDeadLetters();
app.MapOutbox();
app.MapAudit();

return await TopicCheck.RunAsync(app);
