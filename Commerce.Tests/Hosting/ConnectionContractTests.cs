using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace Commerce.Tests.Hosting;

/// <summary>What the servers hand over, seen without starting them: names and shapes are Aspire's.</summary>
public sealed class ConnectionContractTests
{
    readonly IDistributedApplicationTestingBuilder _builder = DistributedApplicationTestingBuilder.Create([], (options, _) => options.AssemblyName = "Commerce.AppHost");

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
    public void Redis_has_a_password_in_its_connection_string() => Assert.Equal(
        "{redis.bindings.tcp.host}:{redis.bindings.tcp.port},password={redis-password.value}",
        _builder.AddRedis("redis").Resource.ConnectionStringExpression.ValueExpression);

    [Fact]
    public void Kafka_has_host_and_port() => Assert.Equal(
        "{kafka.bindings.tcp.host}:{kafka.bindings.tcp.port}",
        _builder.AddKafka("kafka").Resource.ConnectionStringExpression.ValueExpression);

    [Fact]
    public async Task A_reference_hands_over_the_connection_string_and_its_parts()
    {
        var consumer = _builder.AddExecutable("consumer", "true", ".")
            .WithReference(_builder.AddMySql("mysql").AddDatabase("ledger-db"))
            .WithReference(_builder.AddRedis("redis"), connectionName: "gate")
            .WithReference(_builder.AddKafka("kafka"));
        var names = (await EnvironmentOfAsync(consumer.Resource)).Keys.ToHashSet();
        Assert.Superset(
            new HashSet<string>
            {
                "ConnectionStrings__ledger-db", "LEDGER_DB_HOST", "LEDGER_DB_PORT", "LEDGER_DB_USERNAME", "LEDGER_DB_PASSWORD", "LEDGER_DB_URI",
                "LEDGER_DB_JDBCCONNECTIONSTRING", "LEDGER_DB_DATABASENAME",
                "ConnectionStrings__gate", "GATE_HOST", "GATE_PORT", "GATE_PASSWORD", "GATE_URI",
                "ConnectionStrings__kafka", "KAFKA_HOST", "KAFKA_PORT",
            },
            names);
    }

    [Fact]
    public async Task A_missing_connection_string_is_an_error_unless_it_is_optional()
    {
        var expression = ReferenceExpression.Create($"{new ParameterResource("none", _ => "")}");
        var absent = _builder.AddConnectionString("absent", expression);
        var strict = _builder.AddExecutable("strict", "true", ".").WithReference(absent);
        var lenient = _builder.AddExecutable("lenient", "true", ".").WithReference(absent, optional: true);
        await Assert.ThrowsAsync<DistributedApplicationException>(() => ValueAsync(strict.Resource));
        Assert.True(string.IsNullOrEmpty(await ValueAsync(lenient.Resource)));

        async Task<string?> ValueAsync(IResource resource) =>
            await ((IValueProvider)(await EnvironmentOfAsync(resource))["ConnectionStrings__absent"]).GetValueAsync(CancellationToken.None);
    }

    [Fact]
    public async Task A_generated_secret_has_the_wanted_length_and_letters()
    {
        var key = _builder.AddParameter("key", new GenerateParameterDefault { MinLength = 64, Special = false, MinNumeric = 3 }, secret: true);
        var value = (await key.Resource.GetValueAsync(CancellationToken.None))!;
        Assert.Equal(64, value.Length);
        Assert.All(value, c => Assert.True(char.IsAsciiLetterOrDigit(c)));
        Assert.True(value.Count(char.IsAsciiDigit) >= 3);
        Assert.Equal(value, await key.Resource.GetValueAsync(CancellationToken.None));
    }

    static async Task<Dictionary<string, object>> EnvironmentOfAsync(IResource resource)
    {
        var context = new EnvironmentCallbackContext(new DistributedApplicationExecutionContext(DistributedApplicationOperation.Run), resource);
        foreach (var annotation in resource.Annotations.OfType<EnvironmentCallbackAnnotation>()) await annotation.Callback(context);
        return context.EnvironmentVariables;
    }
}
