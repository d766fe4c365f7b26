using Commerce.Core.Reconciliation;
using Microsoft.Extensions.Options;

namespace Commerce.Core.Payments;

/// <summary>Registers payments and their gateway.</summary>
public static class PaymentsExtensions
{
    /// <summary>Adds <see cref="PaymentGateway"/>. An incomplete configuration stops the process at startup.</summary>
    public static TBuilder AddPaymentGateway<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        builder.Services.AddOptions<PaymentGatewayOptions>()
            .BindConfiguration(PaymentGatewayOptions.Section)
            .ValidateDataAnnotations()
            .Validate(o => o.BaseAddress is { IsAbsoluteUri: true } && o.PayWindowUrl is { IsAbsoluteUri: true }, "The addresses must be absolute.")
            .Validate<IHostEnvironment>(IsAllowed, $"""
                Outside of Development the gateway is NaverPay's (*.naver.com) over https. To sell for nothing at the sandbox, set {PaymentGatewayOptions.Section}:Sandbox to true.
                """)
            .ValidateOnStart();
        builder.Services.AddHostedService<SandboxWarning>();
        builder.Services.AddSingleton<PaymentGateway>();
        builder.Services.AddHttpClient(nameof(PaymentGateway))
            .ConfigureHttpClient((services, client) =>
            {
                var options = services.GetRequiredService<IOptions<PaymentGatewayOptions>>().Value;
                client.BaseAddress = options.BaseAddress;
                client.DefaultRequestHeaders.Add("X-Naver-Client-Id", options.ClientId);
                client.DefaultRequestHeaders.Add("X-Naver-Client-Secret", options.ClientSecret);
                client.DefaultRequestHeaders.Add("X-NaverPay-Chain-Id", options.ChainId);
                // Every call has its own timeout.
                client.Timeout = Timeout.InfiniteTimeSpan;
                client.MaxResponseContentBufferSize = 1 << 20;
            })
            // A redirect would repeat the call and pass the secret on.
            .ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false })
            // The default loggers would log the headers, including the secret. Traces and metrics show the calls.
            .RemoveAllLoggers();
        return builder;
    }

    /// <summary>Adds payments, their gateway and their reconciler.</summary>
    public static TBuilder AddPayments<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        builder.AddPaymentGateway();
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

    static bool IsAllowed(PaymentGatewayOptions options, IHostEnvironment environment) => environment.IsDevelopment() || options.Sandbox
        || (options.BaseAddress is { Scheme: "https", IdnHost: var host } && host.EndsWith(".naver.com", StringComparison.Ordinal)
            && options.PayWindowUrl is { Scheme: "https" });
}
