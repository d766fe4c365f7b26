using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

public static class ConnectionStringBuilderExtensions
{
    /// <summary>A connection string made of other values.</summary>
    public static IResourceBuilder<ConnectionStringResource> AddConnectionString(
        this IDistributedApplicationBuilder builder, string name, ReferenceExpression connectionStringExpression) =>
        builder.AddResource(new ConnectionStringResource(name, connectionStringExpression));

    public static IResourceBuilder<ConnectionStringResource> AddConnectionString(
        this IDistributedApplicationBuilder builder, string name, Action<ReferenceExpressionBuilder> connectionStringBuilder)
    {
        var expression = new ReferenceExpressionBuilder();
        connectionStringBuilder(expression);
        return builder.AddConnectionString(name, expression.Build());
    }
}

/// <summary>A connection string that no server of this application gives.</summary>
public sealed class ConnectionStringResource : Resource, IResourceWithConnectionString, IResourceWithoutLifetime
{
    public ConnectionStringResource(string name, ReferenceExpression connectionStringExpression) : this(name, connectionStringExpression, null)
    {
    }

    internal ConnectionStringResource(string name, ReferenceExpression expression, string? variable) : base(name) =>
        (ConnectionStringExpression, ConnectionStringEnvironmentVariable) = (expression, variable);

    public ReferenceExpression ConnectionStringExpression { get; }
    public string? ConnectionStringEnvironmentVariable { get; }
}
