using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Commerce.ServiceDefaults;

/// <summary>Resilience and service discovery for every client of IHttpClientFactory.</summary>
static class HttpResilienceExtensions
{
    public static void AddResilientHttpClients(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<HttpResilienceOptions>()
            .BindConfiguration(HttpResilienceOptions.Section)
            .ValidateDataAnnotations()
            .ValidateOnStart();
        builder.Services.AddSingleton<HttpResiliencePipelines>();
        builder.Services.AddTransient<HttpResilienceHandler>();
        builder.Services.AddServiceDiscovery();
        // In this order every try looks the service up again, and may find another replica.
        builder.Services.ConfigureHttpClientDefaults(http => http.AddHttpMessageHandler<HttpResilienceHandler>().AddServiceDiscovery());
    }
}
