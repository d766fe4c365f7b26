using Microsoft.Extensions.Configuration;

namespace Commerce.AppHost;

/// <summary>The payment sandbox, which stands in for NaverPay, and its configuration for Api and Workers.</summary>
static class PaymentGateway
{
    const string ClientId = "commerce", ChainId = "commerce-chain";

    /// <summary>Adds the sandbox. In run mode its faults can be switched and its ledger can be read.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="ledgerFile">The file of its ledger. If it is empty, the ledger is in memory only.</param>
    public static IResourceBuilder<ProjectResource> AddPaymentSandbox(this IDistributedApplicationBuilder builder, string ledgerFile) =>
        builder.AddProject<Projects.Commerce_PaymentSandbox>("payment-sandbox")
            .WithEnvironment("Sandbox__ClientId", ClientId)
            .WithEnvironment("Sandbox__ClientSecret", builder.ClientSecret())
            .WithEnvironment("Sandbox__ChainId", ChainId)
            .WithEnvironment("Sandbox__LedgerFile", ledgerFile)
            .WithEnvironment("Sandbox__Switches", builder.ExecutionContext.IsRunMode ? "true" : "false")
            // Without a configured port one is generated, so that two copies can run on one machine.
            .WithEndpoint("http", http => http.Port = builder.Configuration.GetValue<int?>("Sandbox:Port"))
            .WithUrlForEndpoint("http", url => url.DisplayText = "Payment sandbox")
            .WithExternalHttpEndpoints()
            .WithHttpHealthCheck("/health");

    /// <summary>Gives a service the address of the gateway, of its payment window, and its credentials.</summary>
    public static IResourceBuilder<ProjectResource> WithPaymentGateway(
        this IResourceBuilder<ProjectResource> service, IResourceBuilder<ProjectResource> sandbox) => service
        .WithReference(sandbox)
        .WithEnvironment("Payments__Gateway__BaseAddress", "http://payment-sandbox")
        .WithEnvironment("Payments__Gateway__PayWindowUrl", $"{sandbox.GetEndpoint("http")}/pay")
        .WithEnvironment("Payments__Gateway__ClientId", ClientId)
        .WithEnvironment("Payments__Gateway__ClientSecret", service.ApplicationBuilder.ClientSecret())
        .WithEnvironment("Payments__Gateway__ChainId", ChainId);

    static IResourceBuilder<ParameterResource> ClientSecret(this IDistributedApplicationBuilder builder)
    {
        const string name = "payment-client-secret";
        return builder.Resources.OfType<ParameterResource>().FirstOrDefault(p => p.Name == name) is { } known
            ? builder.CreateResourceBuilder(known)
            : builder.AddParameter(name, new GenerateParameterDefault { MinLength = 32, Special = false }, secret: true, persist: true);
    }
}
