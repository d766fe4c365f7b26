using Microsoft.Extensions.Configuration;

namespace Commerce.AppHost;

/// <summary>The sandbox that takes the place of NaverPay, and what Api and Workers are told about it.</summary>
static class PaymentGateway
{
    const string ClientId = "commerce", ChainId = "commerce-chain";

    /// <summary>Adds the sandbox. In run mode faults can be switched on and its ledger be read.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="ledgerFile">Where its ledger is kept; empty for nowhere.</param>
    public static IResourceBuilder<ProjectResource> AddPaymentSandbox(this IDistributedApplicationBuilder builder, string ledgerFile) =>
        builder.AddProject<Projects.Commerce_PaymentSandbox>("payment-sandbox")
            .WithEnvironment("Sandbox__ClientId", ClientId)
            .WithEnvironment("Sandbox__ClientSecret", builder.ClientSecret())
            .WithEnvironment("Sandbox__ChainId", ChainId)
            .WithEnvironment("Sandbox__LedgerFile", ledgerFile)
            .WithEnvironment("Sandbox__Switches", builder.ExecutionContext.IsRunMode ? "true" : "false")
            // Chosen when it is not given, so that two copies run on one machine.
            .WithEndpoint("http", http => http.Port = builder.Configuration.GetValue<int?>("Sandbox:Port"))
            .WithUrlForEndpoint("http", url => url.DisplayText = "Payment sandbox")
            .WithExternalHttpEndpoints()
            .WithHttpHealthCheck("/health");

    /// <summary>Tells a service where the gateway is, where its pay window is, and who we are there.</summary>
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
