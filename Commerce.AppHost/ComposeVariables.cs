namespace Commerce.AppHost;

/// <summary>The variables of the published compose file, each with its comment in <c>.env.example</c>.</summary>
static class ComposeVariables
{
    public static readonly IReadOnlyDictionary<string, string> All = new Dictionary<string, string>
    {
        ["ACME_EMAIL"] = "Where the certificate authority writes to. Optional",
        ["ADMIN_RANGES"] = "Address ranges, separated by spaces, that may call /api/admin. Default: this machine alone",
        ["API_IMAGE"] = "Set by deploy",
        ["COMPOSE_PROFILES"] = "Optional services, separated by commas: sandbox, keycloak, observability. Default: none",
        ["DOMAIN"] = "The shop's host name, such as shop.example. Its DNS record points to this machine",
        ["NAVERPAY_CHAIN_ID"] = "NaverPay's chain id",
        ["NAVERPAY_CLIENT_ID"] = "NaverPay's client id. The client secret is a file: secrets/*/Payments__Gateway__ClientSecret",
        ["NAVERPAY_MODE"] = "production (default) or development",
        ["NAVERPAY_PARTNER_ID"] = "NaverPay's partner id. Default: naverpay-partner",
        ["OIDC_ADMIN_ROLE"] = "The provider's role of administrators. Default: ADMIN",
        ["OIDC_AUDIENCE"] = "For whom the provider makes this shop's access tokens. Default: commerce",
        ["OIDC_AUTHORITY"] = "The OIDC provider, such as https://login.example/realms/shop",
        ["OIDC_CLIENT_ID"] = "The page's id at the provider: a public client, authorization code with PKCE, redirect to https://DOMAIN/",
        ["OIDC_MEMBER_ROLE"] = "The provider's role of customers. Default: everybody who signs in",
        ["OIDC_PARAMETERS"] = "More parameters of the authorization request, such as audience=https://shop.example. Optional",
        ["OIDC_ROLE_CLAIM"] = "The claim with the roles, such as realm_access.roles for Keycloak. Default: role",
        ["OIDC_SCOPE"] = "What the page asks for. Default: openid profile",
        ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "Where telemetry goes: http://otel-collector:4317 with the profile observability. Default: nowhere",
        ["PAYMENTS_SANDBOX"] = "true: nobody pays, goods are given away. Then also COMPOSE_PROFILES=sandbox PAYMENT_GATEWAY=http://payment-sandbox:8080 PAY_WINDOW=/pay",
        ["PAYMENT_GATEWAY"] = "Default: https://pay.paygate.naver.com (for trials https://dev-pay.paygate.naver.com)",
        ["PAYMENT_SANDBOX_IMAGE"] = "Set by deploy",
        ["PAY_WINDOW"] = "The path of the pay window. Default: /naverpay.html",
        ["WORKERS_IMAGE"] = "Set by deploy",
    };
}
