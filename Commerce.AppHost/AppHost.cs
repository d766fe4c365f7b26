using Microsoft.Extensions.Configuration;

var builder = DistributedApplication.CreateBuilder(args);

var mysql = builder.AddMySql("mysql");
var redis = builder.AddRedis("redis");
var kafka = builder.AddKafka("kafka");
var commerce = mysql.AddDatabase("commerce");

// Between runs the ledger stays; tests start from nothing.
if (builder.Configuration.GetValue("Data:Keep", true)) mysql.WithDataVolume("commerce-mysql");

// Signs the tokens of /api/auth/token, which exists in Development only. 64 letters and digits are base64 of 48 bytes.
var signingKey = builder.AddParameter(
    "development-signing-key", new GenerateParameterDefault { MinLength = 64, Special = false }, secret: true, persist: true);

// The schema and the topics, before anybody needs them.
var schema = builder.AddProject<Projects.Commerce_Workers>("schema")
    .WithArgs("migrate", "--seed")
    .WithReference(commerce).WaitFor(commerce)
    .WithReference(kafka).WaitFor(kafka);

builder.AddProject<Projects.Commerce_Api>("api")
    .WithReference(commerce)
    .WithReference(redis).WaitFor(redis)
    .WithReference(kafka)
    .WithEnvironment("Authentication__Schemes__Bearer__SigningKeys__0__Value", signingKey)
    .WithEndpoint("http", http => http.Port = builder.Configuration.GetValue<int?>("Api:Port") ?? http.Port)
    .WithExternalHttpEndpoints()
    .WithReplicas(builder.Configuration.GetValue("Api:Replicas", 1))
    .WithHttpHealthCheck("/health")
    .WaitForCompletion(schema);

builder.AddProject<Projects.Commerce_Workers>("workers")
    .WithHttpEndpoint()
    .WithReference(commerce)
    .WithReference(redis).WaitFor(redis)
    .WithReference(kafka)
    .WithReplicas(builder.Configuration.GetValue("Workers:Replicas", 1))
    .WithHttpHealthCheck("/health")
    .WaitForCompletion(schema);

builder.Build().Run();
