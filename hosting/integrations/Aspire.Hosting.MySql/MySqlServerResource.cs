namespace Aspire.Hosting.ApplicationModel;

/// <summary>A MySQL server.</summary>
/// <param name="name">The name of the resource.</param>
/// <param name="password">The password of the user <c>root</c>.</param>
public class MySqlServerResource(string name, ParameterResource password) : ContainerResource(name), IResourceWithConnectionString
{
    readonly List<MySqlDatabaseResource> _databases = [];

    /// <summary>The endpoint of the server.</summary>
    public EndpointReference PrimaryEndpoint => field ??= new(this, "tcp");

    public EndpointReferenceExpression Host => PrimaryEndpoint.Property(EndpointProperty.Host);

    public EndpointReferenceExpression Port => PrimaryEndpoint.Property(EndpointProperty.Port);

    public ParameterResource PasswordParameter { get; set; } = password;

    /// <summary>The connection string in MySqlConnector's format, without a database.</summary>
    public ReferenceExpression ConnectionStringExpression =>
        ReferenceExpression.Create($"Server={Host};Port={Port};User ID=root;Password={PasswordParameter}");

    public ReferenceExpression UriExpression => ReferenceExpression.Create($"mysql://root:{PasswordParameter:uri}@{Host}:{Port}");

    public ReferenceExpression JdbcConnectionString => ReferenceExpression.Create($"jdbc:mysql://{Host}:{Port}");

    /// <summary>Resource name → database name.</summary>
    public IReadOnlyDictionary<string, string> Databases => _databases.ToDictionary(d => d.Name, d => d.DatabaseName);

    IEnumerable<KeyValuePair<string, ReferenceExpression>> IResourceWithConnectionString.GetConnectionProperties() =>
        Properties(UriExpression, JdbcConnectionString);

    internal void Add(MySqlDatabaseResource database) => _databases.Add(database);

    internal IEnumerable<KeyValuePair<string, ReferenceExpression>> Properties(ReferenceExpression uri, ReferenceExpression jdbc) =>
    [
        new("Host", ReferenceExpression.Create($"{Host}")),
        new("Port", ReferenceExpression.Create($"{Port}")),
        new("Username", ReferenceExpression.Create($"root")),
        new("Password", ReferenceExpression.Create($"{PasswordParameter}")),
        new("Uri", uri),
        new("JdbcConnectionString", jdbc),
    ];
}

/// <summary>A database of a MySQL server.</summary>
/// <param name="name">The name of the resource.</param>
/// <param name="databaseName">The name of the database on the server.</param>
/// <param name="parent">The server.</param>
public class MySqlDatabaseResource(string name, string databaseName, MySqlServerResource parent)
    : Resource(name), IResourceWithParent<MySqlServerResource>, IResourceWithConnectionString
{
    public MySqlServerResource Parent { get; } = parent;

    public string DatabaseName { get; } = databaseName;

    /// <summary>The server's connection string with the database.</summary>
    public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"{Parent};Database={DatabaseName}");

    public ReferenceExpression UriExpression =>
        ReferenceExpression.Create($"mysql://root:{Parent.PasswordParameter:uri}@{Parent.Host}:{Parent.Port}/{DatabaseName:uri}");

    public ReferenceExpression JdbcConnectionString => ReferenceExpression.Create($"jdbc:mysql://{Parent.Host}:{Parent.Port}/{DatabaseName:uri}");

    IEnumerable<KeyValuePair<string, ReferenceExpression>> IResourceWithConnectionString.GetConnectionProperties() =>
        [.. Parent.Properties(UriExpression, JdbcConnectionString), new("DatabaseName", ReferenceExpression.Create($"{DatabaseName}"))];
}
