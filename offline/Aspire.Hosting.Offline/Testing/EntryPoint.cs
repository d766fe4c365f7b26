using System.Reflection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Testing;

/// <summary>Runs an AppHost's Main up to its Build(), where the test takes over and Main is abandoned.</summary>
internal sealed class EntryPoint
{
    static readonly AsyncLocal<EntryPoint?> Running = new();
    readonly TaskCompletionSource<DistributedApplicationBuilder> _builder = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly Action<DistributedApplicationOptions, HostApplicationBuilderSettings> _configure;

    EntryPoint(Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configure) => _configure = configure;

    /// <summary>The one that the calling code runs in; null outside of tests.</summary>
    public static EntryPoint? Current => Running.Value;

    public static async Task<DistributedApplicationBuilder> RunAsync(
        Assembly appHost,
        string[] args,
        Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configure,
        CancellationToken cancellationToken)
    {
        var main = appHost.EntryPoint ?? throw new InvalidOperationException($"'{appHost.GetName().Name}' has no entry point.");
        var run = new EntryPoint(configure);
        var ended = Task.Run(() =>
        {
            Running.Value = run;
            try
            {
                main.Invoke(null, main.GetParameters().Length == 0 ? [] : [args]);
                run._builder.TrySetException(new InvalidOperationException($"'{appHost.GetName().Name}' ended without calling Build()."));
            }
            catch (TargetInvocationException e) when (e.InnerException is not HandedOverException)
            {
                run._builder.TrySetException(e.InnerException!);
            }
            catch (TargetInvocationException)
            {
                // The builder is the test's now.
            }
        }, cancellationToken);
        var builder = await run._builder.Task.WaitAsync(cancellationToken);
        await ended;
        return builder;
    }

    public void Configure(DistributedApplicationOptions options, HostApplicationBuilderSettings settings) => _configure(options, settings);

    /// <summary>Never returns: what follows Build() in Main is not for tests.</summary>
    public DistributedApplication HandOver(DistributedApplicationBuilder builder)
    {
        _builder.TrySetResult(builder);
        throw new HandedOverException();
    }

    sealed class HandedOverException() : Exception("The test has taken over; this exception is to reach the end of Main.");
}
