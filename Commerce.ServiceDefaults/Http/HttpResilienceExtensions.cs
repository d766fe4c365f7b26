using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Commerce.ServiceDefaults;

/// <summary>Resilience for every client of IHttpClientFactory.</summary>
internal static class HttpResilienceExtensions
{
    public static void AddResilientHttpClients(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<HttpResilienceOptions>()
            .BindConfiguration(HttpResilienceOptions.Section)
            .ValidateDataAnnotations()
            .ValidateOnStart();
        builder.Services.AddSingleton<HttpResiliencePipelines>();
        builder.Services.AddTransient<HttpResilienceHandler>();
        builder.Services.ConfigureHttpClientDefaults(http => http.AddHttpMessageHandler<HttpResilienceHandler>());
    }
}
