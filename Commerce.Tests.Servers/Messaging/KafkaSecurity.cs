namespace Commerce.Tests.Servers.Messaging;

/// <summary>A listener with TLS and SASL for these users. Its certificate comes from the test's own authority.</summary>
/// <param name="Users">The users for SCRAM-SHA-512 and PLAIN.</param>
public sealed record KafkaSecurity(params IReadOnlyList<(string Name, string Password)> Users)
{
    const string Login = "listener.name.sasl_ssl";

    internal Dictionary<string, string> BrokerSettings(string folder)
    {
        var keystore = Path.Combine(folder, "broker.pem");
        if (!File.Exists(keystore)) File.WriteAllText(keystore, TestCertificates.Write(folder));
        return new()
        {
            ["sasl.enabled.mechanisms"] = "SCRAM-SHA-512,PLAIN",
            ["ssl.keystore.type"] = "PEM",
            ["ssl.keystore.location"] = keystore,
            [$"{Login}.scram-sha-512.sasl.jaas.config"] = "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            [$"{Login}.plain.sasl.jaas.config"] = "org.apache.kafka.common.security.plain.PlainLoginModule required "
                + string.Join(' ', Users.Select(u => $"user_{u.Name}=\"{u.Password}\"")) + ";",
        };
    }
}
