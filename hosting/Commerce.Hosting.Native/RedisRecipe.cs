using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Commerce.Hosting.Native;

sealed class RedisRecipe : NativeServerRecipe
{
    public override string Name => "Redis";

    public override string HowToInstall => "Install redis-server 7 or newer, or run hosting/install/redis.sh.";

    public override bool Fits(ContainerResource container) => container is RedisResource;

    public override string? FindProgram() => InCache("redis", "my") ?? OnPath("redis-server");

    public override async Task<IEnumerable<string>> PrepareAsync(NativeServerStart start, CancellationToken cancellationToken)
    {
        var redis = (RedisResource)start.Container;
        // The integration's arguments, "redis-server --requirepass $REDIS_PASSWORD", need the shell of the container.
        var arguments = start.Arguments.Where(a => a is not ("redis-server" or "--requirepass" or "$REDIS_PASSWORD")).ToList();
        if (!arguments.Contains("--save")) arguments.AddRange(["--save", ""]);
        var password = redis.PasswordParameter is null ? null : Quote((await redis.PasswordParameter.GetValueAsync(cancellationToken))!);
        // Replicas of a cluster authenticate at their primary with the same password.
        var file = start.WritePrivately($"{redis.Name}.conf", password is null ? "" : $"requirepass {password}\nmasterauth {password}\n");
        return [.. FindProgram() == OnPath("redis-server") ? Array.Empty<string>() : ["redis-server"], file, "--bind", "127.0.0.1",
            "--port", start.Port.ToString(CultureInfo.InvariantCulture), "--dir", start.Home, "--appendonly", "no", .. arguments];
    }

    public override IHealthCheck HealthCheckOf(ContainerResource container)
    {
        var redis = (RedisResource)container;
        return new TcpHealthCheck(redis.PrimaryEndpoint, (stream, cancellationToken) => PingAsync(redis, stream, cancellationToken));
    }

    static async Task<string?> PingAsync(RedisResource redis, NetworkStream stream, CancellationToken cancellationToken)
    {
        using var reader = new StreamReader(stream, leaveOpen: true);
        if (redis.PasswordParameter is { } password)
        {
            await stream.WriteAsync(Encoding.UTF8.GetBytes($"AUTH {Quote((await password.GetValueAsync(cancellationToken))!)}\r\n"), cancellationToken);
            if (await reader.ReadLineAsync(cancellationToken) is var reply and not "+OK") return reply ?? "The connection was closed.";
        }
        await stream.WriteAsync("PING\r\n"u8.ToArray(), cancellationToken);
        return await reader.ReadLineAsync(cancellationToken) is var answer and not "+PONG" ? answer ?? "The connection was closed." : null;
    }

    static string Quote(string text) =>
        $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
