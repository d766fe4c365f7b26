using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Commerce.Tests.Servers;

/// <summary>A test's own certificate authority, and a server certificate from it.</summary>
static class TestCertificates
{
    /// <summary>The file with the authority, for clients.</summary>
    public static string AuthorityIn(string folder) => Path.Combine(folder, "ca.pem");

    /// <summary>The file with the server's certificate.</summary>
    public static string CertificateIn(string folder) => Path.Combine(folder, "server.pem");

    /// <summary>The file with the server's key.</summary>
    public static string KeyIn(string folder) => Path.Combine(folder, "server.key");

    /// <summary>Writes the files for 127.0.0.1. Returns key, certificate and authority in one text.</summary>
    public static string Write(string folder)
    {
        var now = TimeProvider.System.GetUtcNow();
        using var authorityKey = RSA.Create(2048);
        var authorityRequest = new CertificateRequest("CN=Test CA", authorityKey, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        authorityRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var authority = authorityRequest.CreateSelfSigned(now.AddDays(-1), now.AddDays(30));
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(authority, now.AddDays(-1), now.AddDays(29), RandomNumberGenerator.GetBytes(8));
        File.WriteAllText(AuthorityIn(folder), authority.ExportCertificatePem());
        File.WriteAllText(CertificateIn(folder), certificate.ExportCertificatePem());
        File.WriteAllText(KeyIn(folder), key.ExportPkcs8PrivateKeyPem());
        return string.Join('\n', key.ExportPkcs8PrivateKeyPem(), certificate.ExportCertificatePem(), authority.ExportCertificatePem());
    }
}
