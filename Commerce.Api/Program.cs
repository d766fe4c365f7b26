using Commerce.Api;
using Commerce.Api.Administration;
using Commerce.Api.Consistency;
using Commerce.Api.Coupons;
using Commerce.Api.Events;
using Commerce.Api.Live;
using Commerce.Api.Messaging;
using Commerce.Api.Orders;
using Commerce.Api.Outbox;
using Commerce.Api.Payments;
using Commerce.Api.Products;
using Commerce.Api.Reconciliation;
using Commerce.Api.WaitingRoom;
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
builder.AddLiveSale();
builder.AddLimits();
builder.AddPublicAddress();
builder.AddCrossOrigin();
builder.Services.AddSingleton(typeof(CachedResponse<>));
builder.AddContract();
builder.AddPage();
builder.Services.AddHostedService<WarmUp>();
builder.Services.ConfigureHttpJsonOptions(json => ApiJson.Configure(json.SerializerOptions));

var app = builder.Build();

app.UsePublicAddress();
app.UseCrossOrigin();
app.UseEventStream();
app.UsePage();
app.UseServiceDefaults();
app.UseReadLimits();
app.UseUrlValidation();
app.UsePreconditions();

app.MapDefaultEndpoints();
app.MapDevelopmentTokens();

var routes = app.MapRoutes();
routes.MapOpenApi().AllowAnonymous();
routes.MapPage();
routes.MapCoupons();
routes.MapEvents();
routes.MapWaitingRooms();
routes.MapProducts();
routes.MapOrders();
routes.MapPayments();

var administration = routes.MapAdministration();
administration.MapCouponAdministration();
administration.MapEventAdministration();
administration.MapProductAdministration();
administration.MapOrderAdministration();
administration.MapPaymentAdministration();
administration.MapDeadLetters();
administration.MapOutbox();
administration.MapReconciliation();
administration.MapConsistencyCheck();
administration.MapAdminActions();
administration.MapLiveSale();

return await TopicCheck.RunAsync(app);
