namespace Aspire.Hosting.ApplicationModel;

public class RedisResource(string name) : ContainerResource(name), IResourceWithConnectionString
{
    internal const string PrimaryEndpointName = "tcp";

    public RedisResource(string name, ParameterResource password) : this(name) => PasswordParameter = password;

    public EndpointReference PrimaryEndpoint => new(this, PrimaryEndpointName);

    public EndpointReferenceExpression Host => PrimaryEndpoint.Property(EndpointProperty.Host);

    public EndpointReferenceExpression Port => PrimaryEndpoint.Property(EndpointProperty.Port);

    public ParameterResource? PasswordParameter { get; }

    public ReferenceExpression ConnectionStringExpression => PasswordParameter is null
        ? ReferenceExpression.Create($"{Host}:{Port}") : ReferenceExpression.Create($"{Host}:{Port},password={PasswordParameter}");

    public ReferenceExpression UriExpression => PasswordParameter is null
        ? ReferenceExpression.Create($"redis://{Host}:{Port}")
            : ReferenceExpression.Create($"redis://:{PasswordParameter:uri}@{Host}:{Port}");

    IEnumerable<KeyValuePair<string, ReferenceExpression>> IResourceWithConnectionString.GetConnectionProperties()
    {
        yield return new("Host", ReferenceExpression.Create($"{Host}"));
        yield return new("Port", ReferenceExpression.Create($"{Port}"));
        if (PasswordParameter is not null) yield return new("Password", ReferenceExpression.Create($"{PasswordParameter}"));

        yield return new("Uri", UriExpression);
    }
}
