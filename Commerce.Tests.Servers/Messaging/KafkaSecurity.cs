using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Commerce.Tests.Servers.Messaging;

/// <summary>A listener with TLS, by a certificate of a CA of its own, on which these users sign in with SASL.</summary>
/// <param name="Users">Known to SCRAM-SHA-512 and to PLAIN.</param>
public sealed record KafkaSecurity(params IReadOnlyList<(string Name, string Password)> Users)
{
    const string Login = "listener.name.sasl_ssl";

    /// <summary>The CA, for clients.</summary>
    internal static string CaFile(string folder) => Path.Combine(folder, "ca.pem");

    internal Dictionary<string, string> BrokerSettings(string folder)
    {
        var keystore = Path.Combine(folder, "broker.pem");
        if (!File.Exists(keystore)) WriteCertificates(folder, keystore);
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

    static void WriteCertificates(string folder, string keystore)
    {
        var now = TimeProvider.System.GetUtcNow();
        using var caKey = RSA.Create(2048);
        var caRequest = new CertificateRequest("CN=Test CA", caKey, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        caRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var ca = caRequest.CreateSelfSigned(now.AddDays(-1), now.AddDays(30));
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(ca, now.AddDays(-1), now.AddDays(29), RandomNumberGenerator.GetBytes(8));
        File.WriteAllText(keystore, string.Join('\n', key.ExportPkcs8PrivateKeyPem(), certificate.ExportCertificatePem(), ca.ExportCertificatePem()));
        File.WriteAllText(CaFile(folder), ca.ExportCertificatePem());
    }
}
