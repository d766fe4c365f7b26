namespace Aspire.Hosting.ApplicationModel;

public class MySqlServerResource(string name, ParameterResource password) : ContainerResource(name), IResourceWithConnectionString
{
    internal const string PrimaryEndpointName = "tcp";
    readonly Dictionary<string, string> _databases = [];

    public EndpointReference PrimaryEndpoint => new(this, PrimaryEndpointName);

    public EndpointReferenceExpression Host => PrimaryEndpoint.Property(EndpointProperty.Host);

    public EndpointReferenceExpression Port => PrimaryEndpoint.Property(EndpointProperty.Port);

    public ParameterResource PasswordParameter { get; set; } = password;

    /// <summary>Resource names and database names.</summary>
    public IReadOnlyDictionary<string, string> Databases => _databases;

    public ReferenceExpression ConnectionStringExpression =>
        ReferenceExpression.Create($"Server={Host};Port={Port};User ID=root;Password={PasswordParameter}");

    public ReferenceExpression UriExpression => ReferenceExpression.Create($"mysql://root:{PasswordParameter:uri}@{Host}:{Port}");

    public ReferenceExpression JdbcConnectionString => ReferenceExpression.Create($"jdbc:mysql://{Host}:{Port}");

    IEnumerable<KeyValuePair<string, ReferenceExpression>> IResourceWithConnectionString.GetConnectionProperties() =>
        ConnectionProperties(UriExpression, JdbcConnectionString);

    internal void Add(MySqlDatabaseResource database) => _databases.Add(database.Name, database.DatabaseName);

    internal IEnumerable<KeyValuePair<string, ReferenceExpression>> ConnectionProperties(ReferenceExpression uri, ReferenceExpression jdbc) =>
    [
        new("Host", ReferenceExpression.Create($"{Host}")),
        new("Port", ReferenceExpression.Create($"{Port}")),
        new("Username", ReferenceExpression.Create($"root")),
        new("Password", ReferenceExpression.Create($"{PasswordParameter}")),
        new("Uri", uri),
        new("JdbcConnectionString", jdbc),
    ];
}

public class MySqlDatabaseResource(string name, string databaseName, MySqlServerResource parent)
    : Resource(name), IResourceWithParent<MySqlServerResource>, IResourceWithConnectionString
{
    public MySqlServerResource Parent { get; } = parent;
    public string DatabaseName { get; } = databaseName;

    public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"{Parent};Database={DatabaseName}");

    public ReferenceExpression UriExpression => ReferenceExpression.Create(
        $"mysql://root:{Parent.PasswordParameter:uri}@{Parent.Host}:{Parent.Port}/{DatabaseName:uri}");

    public ReferenceExpression JdbcConnectionString =>
        ReferenceExpression.Create($"jdbc:mysql://{Parent.Host}:{Parent.Port}/{DatabaseName:uri}");

    IEnumerable<KeyValuePair<string, ReferenceExpression>> IResourceWithConnectionString.GetConnectionProperties() =>
        [.. Parent.ConnectionProperties(UriExpression, JdbcConnectionString), new("DatabaseName", ReferenceExpression.Create($"{DatabaseName}"))];
}
