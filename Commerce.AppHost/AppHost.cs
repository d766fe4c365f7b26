using Commerce.AppHost;
using Microsoft.Extensions.Configuration;

var builder = DistributedApplication.CreateBuilder(args);
builder.UseTopology().UseNativeServersWithoutContainers().RunProjectsAsPrograms();

// The database and the sandbox's ledger survive between runs. Tests start empty.
var keep = builder.Configuration.GetValue("Data:Keep", true);
var sandboxLedger = keep && builder.ExecutionContext.IsRunMode ? Path.GetFullPath(Path.Combine(builder.AppHostDirectory, "..", ".data", "sandbox-ledger.jsonl")) : "";

// ./commerce up --topology cluster runs Redis and Kafka as clusters, and two replicas each of Api and Workers. A connection string
// of the same name (ConnectionStrings:commerce, redis, kafka) replaces the container with an external server.
var commerce = builder.AddExternal("commerce") ?? AddShopDatabase(keep);
var redis = builder.AddExternal("redis") ?? builder.AddRedisCluster("redis") ?? builder.AddRedis("redis");
var kafka = builder.AddExternal("kafka") ?? builder.AddKafkaCluster("kafka") ?? builder.AddKafka("kafka");

// Creates schema and topics before other resources start. Seeds sample data unless the model is published.
var schema = builder.AddProject<Projects.Commerce_Workers>("schema")
    .WithArgs(builder.ExecutionContext.IsRunMode ? ["migrate", "--seed"] : ["migrate"])
    .WithReference(commerce).WaitFor(commerce)
    .WithReference(kafka).WaitFor(kafka);

// The sandbox stands in for NaverPay.
var sandbox = builder.AddPaymentSandbox(sandboxLedger);

var api = builder.AddProject<Projects.Commerce_Api>("api")
    .WithReference(commerce)
    .WithReference(redis).WaitFor(redis)
    .WithReference(kafka)
    .WithEndpoint("http", http => http.Port = builder.Configuration.GetValue<int?>("Api:Port") ?? http.Port)
    .WithExternalHttpEndpoints()
    .WithUrlForEndpoint("http", url => url.DisplayText = "Shop")
    .WithUrlForEndpoint("http", _ => new() { Url = "/openapi/v1.json", DisplayText = "OpenAPI" })
    .WithReplicas(builder.Configuration.GetValue("Api:Replicas", 1))
    .WithPaymentGateway(sandbox)
    .WithRarerCollections()
    .WithHttpHealthCheck("/health")
    .WaitForCompletion(schema);

var workers = builder.AddProject<Projects.Commerce_Workers>("workers")
    .WithHttpEndpoint()
    .WithReference(commerce)
    .WithReference(redis).WaitFor(redis)
    .WithReference(kafka)
    .WithReplicas(builder.Configuration.GetValue("Workers:Replicas", 1))
    .WithPaymentGateway(sandbox)
    .WithRarerCollections()
    .WithHttpHealthCheck("/health")
    .WaitForCompletion(schema);

// The key signs the tokens of /api/auth/token, which exists in Development only. 64 letters and digits are base64 of 48 bytes.
if (builder.ExecutionContext.IsRunMode)
    api.WithEnvironment("Authentication__Schemes__Bearer__SigningKeys__0__Value", builder.AddParameter(
        "development-signing-key", new GenerateParameterDefault { MinLength = 64, Special = false }, secret: true, persist: true));

// Adds commands on the Api to the dashboard: audit, demo sale, reset.
if (builder.ExecutionContext.IsRunMode)
{
    var reset = builder.AddProject<Projects.Commerce_Workers>("reset").WithArgs("reset").WithExplicitStart()
        .WithReference(commerce).WithReference(redis).WithReference(kafka);
    api.WithDeveloperCommands(reset, sandboxLedger, workers.Resource, sandbox.Resource);
}

// ./commerce publish writes this model, behind a proxy, as a compose file for one EC2 machine.
builder.AddComposeMachine("ec2");

builder.Build().Run();

IResourceBuilder<IResourceWithConnectionString> AddShopDatabase(bool keep)
{
    // The timeout limits how long a frozen or lost process keeps its locks inside a transaction. The default is 8 hours.
    var mysql = builder.AddMySql("mysql").WithArgs("--wait-timeout=15");
    if (keep) mysql.WithDataVolume("commerce-mysql");
    return mysql.AddDatabase("commerce");
}
