using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace Commerce.Hosting.Native;

/// <summary>Replaces each container of the model by a process, before anything is started.</summary>
sealed class ContainerSwap(
    DistributedApplicationModel model, IReadOnlyList<NativeServerRecipe> recipes, DataFolders folders, DistributedApplicationExecutionContext execution,
    IOptions<HealthCheckServiceOptions> checks, ResourceLoggerService loggers, IServiceProvider services)
{
    /// <exception cref="DistributedApplicationException">A container has no recipe.</exception>
    public void SwapAll()
    {
        var servers = new List<NativeServerResource>();
        foreach (var container in model.Resources.OfType<ContainerResource>().ToList())
        {
            var recipe = recipes.LastOrDefault(r => r.Fits(container)) ?? throw new DistributedApplicationException(
                $"'{container.Name}' runs in a container only, and neither Docker nor Podman answers. Start one of them, or give "
                + $"{nameof(NativeServerExtensions.UseNativeServersWithoutContainers)} a recipe for it.");
            servers.Add(Swap(container, recipe));
        }
        ActivatorUtilities.CreateInstance<EventBridge>(services, (IReadOnlyList<NativeServerResource>)servers).Start();
    }

    NativeServerResource Swap(ContainerResource container, NativeServerRecipe recipe)
    {
        var annotations = container.Annotations;
        var environment = annotations.OfType<EnvironmentCallbackAnnotation>().ToList();
        // These annotations only apply to containers, or request certificates for them.
        RemoveAll(annotations, a => a is ContainerImageAnnotation or DockerfileBuildAnnotation or EnvironmentCallbackAnnotation
            or CertificateTrustConfigurationCallbackAnnotation or HttpsCertificateConfigurationCallbackAnnotation);
        annotations.Add(new HttpsCertificateAnnotation { UseDeveloperCertificate = false });
        var endpoint = KeepOneEndpoint(container);

        var home = folders.HomeOf(container);
        var program = recipe.FindProgram();
        var server = NativeServerResource.Create(container, program ?? $"{recipe.Name} is not installed", home);
        annotations.Add(new CommandLineArgsCallbackAnnotation(async context =>
        {
            var asked = context.Args.OfType<string>().ToList();
            context.Args.Clear();
            if (program is null) throw new DistributedApplicationException($"{recipe.Name} is not installed. {recipe.HowToInstall}");
            var port = endpoint.TargetPort!.Value;
            RequireFree(container.Name, port);
            var start = new NativeServerStart(container, home, folders.Run, port, asked, await TextOfAsync(environment, context),
                loggers.GetLogger(server));
            foreach (var argument in await recipe.PrepareAsync(start, context.CancellationToken)) context.Args.Add(argument);
        }));
        foreach (var (name, value) in recipe.Environment)
            annotations.Add(new EnvironmentCallbackAnnotation(context => context.EnvironmentVariables[name] = value));
        ReplaceHealthChecks(container, recipe);
        model.Resources[model.Resources.IndexOf(container)] = server;
        return server;
    }

    // The endpoint has no proxy, so that a killed server refuses connections. The port stays the same for the whole run.
    static EndpointAnnotation KeepOneEndpoint(ContainerResource container)
    {
        var endpoints = container.Annotations.OfType<EndpointAnnotation>().ToList();
        var kept = endpoints.FirstOrDefault(e => e.Name == "tcp") ?? endpoints.FirstOrDefault()
            ?? throw new DistributedApplicationException($"'{container.Name}' has no endpoint.");
        RemoveAll(container.Annotations, a => a is EndpointAnnotation && a != kept);
        // The port is read first, because without a proxy the container's own port would count as the requested one.
        var asked = kept.Port ?? FreePorts.Take();
        kept.IsProxied = false;
        kept.TargetHost = "127.0.0.1";
        (kept.Port, kept.TargetPort) = (asked, asked);
        return kept;
    }

    // The health checks of the integrations wait for the container's connection-string event, which is never raised (see EventBridge).
    void ReplaceHealthChecks(ContainerResource container, NativeServerRecipe recipe)
    {
        var check = recipe.HealthCheckOf(container);
        var keys = model.Resources.Where(r => r == container || (r as IResourceWithParent)?.Parent == container)
            .SelectMany(r => r.Annotations.OfType<HealthCheckAnnotation>()).Select(a => a.Key).ToHashSet();
        foreach (var registration in checks.Value.Registrations.Where(r => keys.Contains(r.Name))) registration.Factory = _ => check;
    }

    /// <summary>Returns the plain-text variables of the container. The others refer to things that only containers have.</summary>
    async Task<IReadOnlyDictionary<string, string>> TextOfAsync(IEnumerable<EnvironmentCallbackAnnotation> callbacks, CommandLineArgsCallbackContext context)
    {
        var variables = new EnvironmentCallbackContext(execution, context.Resource, cancellationToken: context.CancellationToken);
        foreach (var annotation in callbacks) await annotation.Callback(variables);
        return variables.EnvironmentVariables.Where(v => v.Value is string).ToDictionary(v => v.Key, v => (string)v.Value);
    }

    static void RequireFree(string server, int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        // As for the servers, connections of a server that has just ended do not block the port.
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            socket.Listen();
        }
        catch (SocketException e)
        {
            throw new DistributedApplicationException(
                string.Create(CultureInfo.InvariantCulture, $"Port {port} of '{server}' is taken by another program: {e.Message}."), e);
        }
    }

    static void RemoveAll(ResourceAnnotationCollection annotations, Func<IResourceAnnotation, bool> unwanted)
    {
        foreach (var annotation in annotations.Where(unwanted).ToList()) annotations.Remove(annotation);
    }
}
