using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace Commerce.Tests.Servers.Hosting;

/// <summary>
/// The projects in hosting/integrations provide the same connection strings as the packages of the same name. Nothing is started.
/// </summary>
public sealed class ConnectionContractTests
{
    readonly IDistributedApplicationTestingBuilder _builder =
        DistributedApplicationTestingBuilder.Create([], (options, _) => options.AssemblyName = "Commerce.AppHost");

    [Fact]
    public void A_MySQL_database_has_the_connection_string_of_its_server_and_its_name()
    {
        var database = _builder.AddMySql("mysql").AddDatabase("ledger-db", "ledger");
        Assert.Equal(
            "Server={mysql.bindings.tcp.host};Port={mysql.bindings.tcp.port};User ID=root;Password={mysql-password.value}",
            database.Resource.Parent.ConnectionStringExpression.ValueExpression);
        Assert.Equal("{mysql.connectionString};Database=ledger", database.Resource.ConnectionStringExpression.ValueExpression);
    }

    [Fact]
    public void Kafka_has_host_and_port() => Assert.Equal(
        "{kafka.bindings.tcp.host}:{kafka.bindings.tcp.port}",
        _builder.AddKafka("kafka").Resource.ConnectionStringExpression.ValueExpression);

    [Fact]
    public async Task A_generated_secret_has_the_wanted_length_and_letters()
    {
        var key = _builder.AddParameter("key", new GenerateParameterDefault { MinLength = 64, Special = false, MinNumeric = 3 }, secret: true);
        var value = (await key.Resource.GetValueAsync(CancellationToken.None))!;
        Assert.Equal(64, value.Length);
        Assert.All(value, c => Assert.True(char.IsAsciiLetterOrDigit(c)));
        Assert.True(value.Count(char.IsAsciiDigit) >= 3);
    }
}
