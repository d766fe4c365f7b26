using Commerce.Core.Background;
using Commerce.Core.Live;

namespace Commerce.Api.Live;

/// <summary>
/// Adds the 5xx responses of this replica to the total of all replicas, at most once a second and only if there are any.
/// </summary>
sealed class ServerErrorReporter(ServerErrors errors, TimeProvider clock, ILogger<ServerErrorReporter> logger) : PeriodicWorker(clock, logger)
{
    long _reported;

    protected override TimeSpan Interval => TimeSpan.FromSeconds(1);

    protected override async Task RunOnceAsync(CancellationToken stoppingToken)
    {
        var count = ServerFailures.Count;
        if (count == _reported) return;
        // If Redis is unavailable, the responses are added in a later run.
        await TransientFaults.TryAsync(async () =>
        {
            await errors.AddAsync(count - _reported);
            _reported = count;
        });
    }
}
