namespace Aspire.Hosting.ApplicationModel
{
    /// <summary>Something that the application consists of.</summary>
    public interface IResource
    {
        /// <summary>Unique in the application, letters, digits and dashes.</summary>
        string Name { get; }
        /// <summary>Everything that the With... methods said about it.</summary>
        ResourceAnnotationCollection Annotations { get; }
    }

    public interface IResourceWithEnvironment : IResource;

    public interface IResourceWithArgs : IResource;

    public interface IResourceWithEndpoints : IResource;

    public interface IResourceWithWaitSupport : IResource;

    /// <summary>Has no process of its own: nothing waits for it.</summary>
    public interface IResourceWithoutLifetime : IResource;

    public interface IResourceWithParent : IResource
    {
        IResource Parent { get; }
    }

    public interface IResourceWithParent<out T> : IResourceWithParent where T : IResource
    {
        new T Parent { get; }

        IResource IResourceWithParent.Parent => Parent;
    }

    public interface IResourceWithConnectionString : IResource, IExpressionValue, IValueWithReferences
    {
        ReferenceExpression ConnectionStringExpression { get; }

        /// <summary>Another variable than ConnectionStrings__name to hand it over in.</summary>
        string? ConnectionStringEnvironmentVariable => null;

        ValueTask<string?> GetConnectionStringAsync(CancellationToken cancellationToken = default) =>
            ConnectionStringExpression.GetValueAsync(cancellationToken);

        /// <summary>The parts of the connection string, handed over as NAME_HOST, NAME_PORT and so on.</summary>
        IEnumerable<KeyValuePair<string, ReferenceExpression>> GetConnectionProperties() => [];

        string IManifestExpressionProvider.ValueExpression => $"{{{Name}.connectionString}}";

        IEnumerable<object> IValueWithReferences.References => [ConnectionStringExpression];

        ValueTask<string?> IValueProvider.GetValueAsync(CancellationToken cancellationToken) => GetConnectionStringAsync(cancellationToken);
    }
}

namespace Aspire.Hosting
{
    using Aspire.Hosting.ApplicationModel;

    public interface IResourceWithServiceDiscovery : IResourceWithEndpoints;
}
