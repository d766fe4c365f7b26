using System.Reflection;
using Commerce.Core.Background;
using Commerce.Tests.Unit.ServiceDefaults;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Commerce.Tests.Unit.Background;

public sealed class PeriodicWorkerTests : IDisposable
{
    readonly FakeTimeProvider _clock = new();
    readonly RecordedLogs _logs = new();

    public void Dispose() => _logs.Dispose();

    ILogger Logger => _logs.CreateLogger("test");

    public static TheoryData<Exception> Faults =>
    [
        new InvalidOperationException("a bug"), new ArgumentOutOfRangeException("row"), new FormatException("a bad row"), new OperationCanceledException("somebody else's"),
        new TimeoutException("MySQL"), new HttpRequestException("the gateway"),
    ];

    [Theory, MemberData(nameof(Faults), DisableDiscoveryEnumeration = true)]
    public async Task No_exception_ends_it(Exception fault)
    {
        using var failures = new CounterListener("commerce.workers.failures");
        var runs = 0;
        using var worker = new Worker(_clock, Logger, () => ++runs <= 3 ? throw fault : Task.CompletedTask);

        await worker.StartAsync(TestContext.Current.CancellationToken);
        await _clock.RunAsync(Eventually.EqualAsync(true, () => Task.FromResult(runs > 5)));
        await worker.StopAsync(TestContext.Current.CancellationToken);

        Assert.True(worker.ExecuteTask!.IsCompletedSuccessfully);
        Assert.Equal(3, failures.Counted.Count(t => (string?)t["worker"] == nameof(Worker)));
        // The log has the first and second failure, and the recovery.
        Assert.Equal(3, _logs.AtLeast(LogLevel.Information).Count());
    }

    [Fact]
    public async Task Failures_come_further_and_further_apart_and_end_up_at_two_seconds()
    {
        var runs = 0;
        using var worker = new Worker(_clock, Logger, () => { runs++; throw new InvalidOperationException("always"); });

        await worker.StartAsync(TestContext.Current.CancellationToken);
        for (var i = 0; i < 3000; i++)
        {
            _clock.Advance(TimeSpan.FromMilliseconds(20));
            if (i % 10 == 0) await Task.Delay(1, TestContext.Current.CancellationToken);
        }

        await worker.StopAsync(TestContext.Current.CancellationToken);
        // These are the runs of one minute. Without a back-off there would be 600.
        Assert.InRange(runs, 10, 70);
        // An outage does not flood the log.
        Assert.InRange(_logs.AtLeast(LogLevel.Warning).Count(), 1, 7);
    }

    [Fact]
    public async Task A_row_that_cannot_be_handled_is_set_aside_and_the_others_go_on()
    {
        var aside = new Quarantine<int>("row", _clock, Logger);
        List<int> tried = [];

        async Task RunAsync()
        {
            tried.Clear();
            await aside.TryEachAsync([1, 2, 3], row =>
            {
                tried.Add(row);
                return row == 2 ? throw new FormatException("bad") : Task.CompletedTask;
            }, TestContext.Current.CancellationToken);
        }

        await RunAsync();
        Assert.Equal([1, 2, 3], tried);
        Assert.Contains("row 2", Assert.Single(_logs.AtLeast(LogLevel.Error)).Message, StringComparison.Ordinal);
        await RunAsync();
        Assert.Equal([1, 3], tried);
        _clock.Advance(TimeSpan.FromSeconds(2));
        await RunAsync();
        Assert.Equal([1, 2, 3], tried);
        _clock.Advance(TimeSpan.FromSeconds(1));
        await RunAsync();
        // The next interval is longer.
        Assert.Equal([1, 3], tried);
    }

    [Fact]
    public async Task A_dependency_that_is_away_is_no_fault_of_a_row()
    {
        var aside = new Quarantine<int>("row", _clock, Logger);

        await Assert.ThrowsAsync<TimeoutException>(() => aside.TryAsync(1, () => throw new TimeoutException(), TestContext.Current.CancellationToken));

        Assert.False(aside.Contains(1));
        Assert.True(await aside.TryAsync(1, () => Task.CompletedTask, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void All_periodic_work_is_done_by_it()
    {
        // Loaded by name, because the tests do not reference the Workers.
        var workers = Assembly.LoadFrom(Path.Combine(AppContext.BaseDirectory.Replace("Commerce.Tests.Unit", "Commerce.Workers", StringComparison.Ordinal), "Commerce.Workers.dll"));

        var services = workers.GetTypes().Where(t => t.IsAssignableTo(typeof(BackgroundService)) && !t.IsAbstract).ToList();

        Assert.True(services.Count > 8);
        Assert.All(services, t => Assert.True(t.IsAssignableTo(typeof(PeriodicWorker)), t.Name));
    }

    sealed class Worker(TimeProvider clock, ILogger logger, Func<Task> run) : PeriodicWorker(clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromMilliseconds(100);

        protected override Task RunOnceAsync(CancellationToken stoppingToken) => run();
    }
}
