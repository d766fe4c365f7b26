using System.Globalization;
using Aspire.Hosting.Docker;
using Aspire.Hosting.Docker.Resources;
using Aspire.Hosting.Docker.Resources.ComposeNodes;
using Aspire.Hosting.Pipelines;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting.Docker
{
    /// <summary>A compute environment that publishes <c>docker-compose.yaml</c> and <c>.env</c>. It has no dashboard.</summary>
    public sealed class DockerComposeEnvironmentResource : Resource, IComputeEnvironmentResource
    {
        public DockerComposeEnvironmentResource(string name) : base(name) => Annotations.Add(new PipelineStepAnnotation(_ =>
        {
            var step = new PipelineStep { Name = $"publish-{name}", Action = context => new ComposeWriter(this, context).WriteAsync() };
            step.RequiredBy(WellKnownPipelineSteps.Publish);
            return step;
        }));

        public string? DefaultNetworkName { get; set; }

        public bool DashboardEnabled { get; set; } = true;

        internal Action<ComposeFile>? ConfigureComposeFile { get; set; }

        internal Action<IDictionary<string, CapturedEnvironmentVariable>>? ConfigureEnvFile { get; set; }

        /// <summary>The variables of the compose file.</summary>
        internal Dictionary<string, CapturedEnvironmentVariable> Variables { get; } = [];

        /// <summary>Returns the name of the service, because services find each other by name.</summary>
        public ReferenceExpression GetHostAddressExpression(EndpointReference endpointReference) =>
            ReferenceExpression.Create($"{endpointReference.Resource.Name.ToLowerInvariant()}");

        internal string Variable(string name, string? description)
        {
            var key = name.Replace('-', '_').Replace('.', '_').ToUpperInvariant();
            Variables[key] = new() { Name = key, Description = description };
            return $"${{{key}}}";
        }
    }

    /// <summary>A variable of the compose file that <c>.env</c> must set.</summary>
    public sealed class CapturedEnvironmentVariable
    {
        public required string Name { get; init; }

        public string? Description { get; set; }
    }

    /// <summary>A resource of the model as a service of the compose file.</summary>
    public sealed class DockerComposeServiceResource(string name, IResource resource, DockerComposeEnvironmentResource composeEnvironmentResource)
        : Resource(name), IResourceWithParent<DockerComposeEnvironmentResource>
    {
        public DockerComposeEnvironmentResource Parent => composeEnvironmentResource;

        internal IResource Target => resource;
    }

    sealed record ServiceCustomization(Action<DockerComposeServiceResource, Service> Configure) : IResourceAnnotation;

    sealed class ComposeWriter(DockerComposeEnvironmentResource environment, PipelineStepContext context)
    {
        string Network => environment.DefaultNetworkName ?? "aspire";

        public async Task WriteAsync()
        {
            var file = new ComposeFile().AddNetwork(new() { Name = Network, Driver = "bridge" });
            foreach (var resource in context.Model.Resources.OfType<IComputeResource>().Where(r => r is ProjectResource || r.IsContainer()))
            {
                var service = await ServiceOfAsync(resource);
                foreach (var volume in service.Volumes.Where(v => v.Type == "volume")) file.AddVolume(new() { Name = volume.Name, Driver = "local" });
                var target = new DockerComposeServiceResource(resource.Name, resource, environment);
                foreach (var custom in resource.Annotations.OfType<ServiceCustomization>()) custom.Configure(target, service);
                file.AddService(service);
            }

            environment.ConfigureComposeFile?.Invoke(file);
            environment.ConfigureEnvFile?.Invoke(environment.Variables);
            var folder = context.Services.GetRequiredService<IPipelineOutputService>().GetOutputDirectory();
            Directory.CreateDirectory(folder);
            await File.WriteAllTextAsync(Path.Combine(folder, "docker-compose.yaml"), file.ToYaml());
            await File.WriteAllLinesAsync(Path.Combine(folder, ".env"), environment.Variables.Values.OrderBy(v => v.Name, StringComparer.Ordinal)
                .SelectMany(v => new[] { v.Description is { Length: > 0 } text ? $"# {text}" : null, $"{v.Name}=", "" }.OfType<string>()));
        }

        async Task<Service> ServiceOfAsync(IResource resource)
        {
            var service = new Service
            {
                Name = resource.Name.ToLowerInvariant(),
                Image = resource is not ProjectResource && resource.TryGetContainerImageName(out var image)
                    ? image
                    : environment.Variable($"{resource.Name}_IMAGE", $"Container image name for {resource.Name}"),
                Networks = [Network],
            };
            if (resource is ContainerResource { Entrypoint: { } entrypoint }) service.Entrypoint.Add(entrypoint);

            var variables = new EnvironmentCallbackContext(context.ExecutionContext, resource, cancellationToken: context.CancellationToken);
            foreach (var annotation in resource.Annotations.OfType<EnvironmentCallbackAnnotation>()) await annotation.Callback(variables);
            foreach (var (name, value) in variables.EnvironmentVariables)
                if (!(value is EndpointReference { Scheme: "https" } && name.StartsWith("services__", StringComparison.Ordinal))) service.Environment[name] = Text(value);

            var arguments = new CommandLineArgsCallbackContext([], resource, context.CancellationToken) { ExecutionContext = context.ExecutionContext };
            foreach (var annotation in resource.Annotations.OfType<CommandLineArgsCallbackAnnotation>()) await annotation.Callback(arguments);
            service.Command.AddRange(arguments.Args.Select(Text));

            foreach (var endpoint in resource.Annotations.OfType<EndpointAnnotation>())
            {
                var port = PortOf(resource, endpoint);
                if (!endpoint.IsExternal) service.Expose.Add(port);
                else service.Ports.Add(endpoint.Port is { } published ? string.Create(CultureInfo.InvariantCulture, $"{published}:{port}") : port);
            }
            service.Expose = [.. service.Expose.Distinct()];
            service.Ports = [.. service.Ports.Distinct()];

            foreach (var mount in resource.Annotations.OfType<ContainerMountAnnotation>())
                service.AddVolume(new()
                {
                    Name = mount.Source!,
                    Type = mount.Type == ContainerMountType.BindMount ? "bind" : "volume",
                    Source = mount.Source,
                    Target = mount.Target,
                    ReadOnly = mount.IsReadOnly,
                });

            foreach (var wait in resource.Annotations.OfType<WaitAnnotation>().Where(w => w.Resource is ProjectResource || w.Resource.IsContainer()))
                service.DependsOn[wait.Resource.Name.ToLowerInvariant()] =
                    new() { Condition = wait.WaitType == WaitType.WaitForCompletion ? "service_completed_successfully" : "service_started" };
            return service;
        }

        // Values that are known at publishing become text. Others become variables of .env.
        string Text(object? value) => value switch
        {
            null => "",
            string text => text,
            ParameterResource parameter => environment.Variable(parameter.Name, $"Parameter {parameter.Name}"),
            EndpointReference endpoint => $"{endpoint.Scheme}://{HostOf(endpoint)}:{PortOf(endpoint)}",
            EndpointReferenceExpression { Property: EndpointProperty.Host or EndpointProperty.IPV4Host } e => HostOf(e.Endpoint),
            EndpointReferenceExpression { Property: EndpointProperty.Port or EndpointProperty.TargetPort } e => PortOf(e.Endpoint),
            EndpointReferenceExpression { Property: EndpointProperty.HostAndPort } e => $"{HostOf(e.Endpoint)}:{PortOf(e.Endpoint)}",
            EndpointReferenceExpression { Property: EndpointProperty.Scheme } e => e.Endpoint.Scheme,
            EndpointReferenceExpression e => Text(e.Endpoint),
            ReferenceExpression { IsConditional: true } e => Text(e.WhenFalse),
            ReferenceExpression e => string.Format(CultureInfo.InvariantCulture, e.Format, [.. e.ValueProviders.Select(Text)]),
            ConnectionStringReference reference => Text(reference.Resource.ConnectionStringExpression),
            IResourceWithConnectionString resource => Text(resource.ConnectionStringExpression),
            IManifestExpressionProvider other => environment.Variable(other.ValueExpression.Trim('{', '}'), null),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
        };

        static string HostOf(EndpointReference endpoint) => endpoint.Resource.Name.ToLowerInvariant();

        string PortOf(EndpointReference endpoint) => PortOf(endpoint.Resource, endpoint.EndpointAnnotation);

        string PortOf(IResource resource, EndpointAnnotation endpoint) => endpoint.TargetPort?.ToString(CultureInfo.InvariantCulture)
            ?? environment.Variable($"{resource.Name}_PORT", $"Default container port for {resource.Name}");
    }
}

namespace Aspire.Hosting
{
    /// <summary>Adds the environment.</summary>
    public static class DockerComposeEnvironmentExtensions
    {
        public static IResourceBuilder<DockerComposeEnvironmentResource> AddDockerComposeEnvironment(this IDistributedApplicationBuilder builder, [ResourceName] string name)
        {
            var environment = new DockerComposeEnvironmentResource(name);
            return builder.ExecutionContext.IsRunMode ? builder.CreateResourceBuilder(environment) : builder.AddResource(environment);
        }

        public static IResourceBuilder<DockerComposeEnvironmentResource> WithDashboard(
            this IResourceBuilder<DockerComposeEnvironmentResource> builder, bool enabled = true) => builder.WithProperties(e => e.DashboardEnabled = enabled);

        public static IResourceBuilder<DockerComposeEnvironmentResource> WithProperties(
            this IResourceBuilder<DockerComposeEnvironmentResource> builder, Action<DockerComposeEnvironmentResource> configure)
        {
            configure(builder.Resource);
            return builder;
        }

        /// <summary>Customises the whole file before it is written.</summary>
        public static IResourceBuilder<DockerComposeEnvironmentResource> ConfigureComposeFile(
            this IResourceBuilder<DockerComposeEnvironmentResource> builder, Action<ComposeFile> configure) => builder.WithProperties(e => e.ConfigureComposeFile += configure);

        public static IResourceBuilder<DockerComposeEnvironmentResource> ConfigureEnvFile(
            this IResourceBuilder<DockerComposeEnvironmentResource> builder, Action<IDictionary<string, CapturedEnvironmentVariable>> configure) =>
            builder.WithProperties(e => e.ConfigureEnvFile += configure);
    }

    /// <summary>Customises services.</summary>
    public static class DockerComposeServiceExtensions
    {
        public static IResourceBuilder<T> PublishAsDockerComposeService<T>(this IResourceBuilder<T> builder, Action<DockerComposeServiceResource, Service> configure)
            where T : IComputeResource => builder.ApplicationBuilder.ExecutionContext.IsPublishMode ? builder.WithAnnotation(new ServiceCustomization(configure)) : builder;
    }
}
