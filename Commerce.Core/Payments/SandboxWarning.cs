using Microsoft.Extensions.Options;

namespace Commerce.Core.Payments;

/// <summary>Warns at every start outside Development that no money moves.</summary>
sealed partial class SandboxWarning(IOptions<PaymentGatewayOptions> options, IHostEnvironment environment, ILogger<SandboxWarning> logger) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.Value.Sandbox && !environment.IsDevelopment()) LogSandbox(logger, options.Value.BaseAddress);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(Level = LogLevel.Warning, Message = "NO MONEY MOVES HERE: payments go to the sandbox at {Gateway}. Set Payments:Gateway:Sandbox to false for real payments")]
    static partial void LogSandbox(ILogger logger, Uri? gateway);
}
