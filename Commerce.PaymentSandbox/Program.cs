using Commerce.PaymentSandbox;
using Commerce.PaymentSandbox.Faults;
using Commerce.PaymentSandbox.Ledger;
using Commerce.PaymentSandbox.Partner;
using Commerce.PaymentSandbox.PayWindow;
using Commerce.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);

builder.AddServiceDefaults();
builder.Services.AddOptions<SandboxOptions>().BindConfiguration(SandboxOptions.Section).ValidateDataAnnotations()
    .Validate(o => o.Allowed || builder.Environment.IsDevelopment(), $"No money moves here. Outside of Development set {SandboxOptions.Section}:Allowed to true to use the sandbox all the same.")
    .ValidateOnStart();
builder.Services.AddSingleton<LedgerFile>();
builder.Services.AddSingleton<PaymentLedger>();
builder.Services.AddSingleton<IdempotencyKeys>();
builder.Services.AddSingleton<FaultPlan>();
builder.Services.AddSingleton<FaultyDesk>();
builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, SandboxJson.Default));

var app = builder.Build();

// The ledger is read before the first payment. If it is unreadable, the sandbox does not start.
app.Services.GetRequiredService<PaymentLedger>();
app.UseServiceDefaults();

app.MapDefaultEndpoints();

var routes = app.MapGroup("").MapHead();
routes.MapPayWindow();
routes.MapPartnerApi();
routes.MapLedgerSummary();
if (app.Configuration.GetValue<bool>($"{SandboxOptions.Section}:{nameof(SandboxOptions.Switches)}"))
{
    routes.MapFaults();
    routes.MapLedger();
}

if (!app.Environment.IsDevelopment()) SandboxLog.Running(app.Logger);
app.Run();
