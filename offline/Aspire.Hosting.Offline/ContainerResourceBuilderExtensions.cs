using System.Diagnostics.CodeAnalysis;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

public static class ContainerResourceBuilderExtensions
{
    /// <exception cref="NotSupportedException">Always: there are no containers in offline mode.</exception>
    [DoesNotReturn]
    public static IResourceBuilder<ContainerResource> AddContainer(this IDistributedApplicationBuilder builder, string name, string image) =>
        throw new NotSupportedException(
            $"The offline mode has no containers: '{name}' ({image}) needs the Aspire packages (UseAspirePackages=true) and a container engine.");
}
