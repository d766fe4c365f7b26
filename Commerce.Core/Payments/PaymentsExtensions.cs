using Commerce.Core.Reconciliation;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Commerce.Core.Payments;

/// <summary>Registers payments.</summary>
static class PaymentsExtensions
{
    public static TBuilder AddPayments<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        builder.Services.AddOptions<PaymentOptions>()
            .BindConfiguration(PaymentOptions.Section)
            .ValidateDataAnnotations()
            .Validate<IOptions<PaymentGatewayOptions>>((payments, gateway) => payments.SettleAfter > gateway.Value.ApproveTimeout,
                $"{nameof(PaymentOptions.SettleAfter)} must exceed the gateway's {nameof(PaymentGatewayOptions.ApproveTimeout)}.")
            .ValidateOnStart();
        builder.Services.AddSingleton<PaymentRepository>();
        builder.Services.AddSingleton<PaymentSettlement>();
        builder.Services.AddSingleton<PaymentService>();
        builder.Services.AddReconciler<PaymentReconciler>();
        builder.Services.AddSingleton<PaymentConsistencyCheck>();
        builder.Services.AddSingleton<IGatewayLedger, SandboxLedger>();
        return builder;
    }
}
