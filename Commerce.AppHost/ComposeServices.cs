using Aspire.Hosting.Docker;
using Aspire.Hosting.Docker.Resources;
using Aspire.Hosting.Docker.Resources.ComposeNodes;
using Aspire.Hosting.Docker.Resources.ServiceNodes;
using Microsoft.Extensions.Configuration;

namespace Commerce.AppHost;

/// <summary>
/// Adds to the published compose file what the topology does not contain: health checks, limits, networks, users and files. The
/// limits fit one machine with 2 CPUs and 4 GiB (t3.medium). They add up to 2,944 MiB, and to 3,200 MiB while a deploy migrates or
/// runs an extra replica of the Api. The sandbox adds 128 MiB. The profiles <c>keycloak</c> (768 MiB) and <c>observability</c> (704
/// MiB) need a t3.large.
/// </summary>
static class ComposeServices
{
    // The address range of the proxy's network, from which the Api trusts X-Forwarded-For. It is outside of a default VPC
    // (172.31.0.0/16).
    const string FrontSubnet = "10.213.0.0/24";
    const string Front = "front";
    const string Back = "back";

    // The user of the .NET images.
    const string App = "1654";

    static readonly string[] InternalVariables = ["ConnectionStrings__", "COMMERCE_", "MYSQL_", "REDIS_", "KAFKA_", "services__", "PAYMENT_SANDBOX_", "HTTP_PORTS", "OTEL_", "ASPNETCORE_"];

    /// <summary>
    /// Adds an external server (RDS, ElastiCache, MSK) if its connection string is configured. The published file has no container for
    /// it.
    /// </summary>
    public static IResourceBuilder<IResourceWithConnectionString>? AddExternal(this IDistributedApplicationBuilder builder, string name) =>
        builder.Configuration.GetConnectionString(name) is { Length: > 0 } ? builder.AddConnectionString(name) : null;

    /// <summary>Publishes the resources, behind a proxy, as a compose file for one machine.</summary>
    public static void AddComposeMachine(this IDistributedApplicationBuilder builder, string name)
    {
        var machine = builder.AddDockerComposeEnvironment(name).WithDashboard(false).WithProperties(e => e.DefaultNetworkName = Back)
            .ConfigureComposeFile(Complete)
            .ConfigureEnvFile(variables =>
            {
                variables.Clear();
                foreach (var (variable, text) in ComposeVariables.All) variables[variable] = new() { Name = variable, Description = text };
            });
        if (builder.ExecutionContext.IsRunMode) return;

        builder.AddContainer("proxy", "caddy", "2.11.4");
        builder.AddContainer("proxy-volumes", "caddy", "2.11.4");
        builder.AddContainer("keycloak", "quay.io/keycloak/keycloak", "26.4");
        builder.AddContainer("otel-collector", "otel/opentelemetry-collector-contrib", "0.138.0");
        builder.AddContainer("prometheus", "prom/prometheus", "v3.7.3");
        builder.AddContainer("grafana", "grafana/grafana", "12.2.1");
        foreach (var resource in builder.Resources.OfType<IComputeResource>().Where(r => r is ProjectResource or ContainerResource))
            builder.CreateResourceBuilder(resource).PublishAsDockerComposeService(Configure);
    }

    static void Configure(DockerComposeServiceResource resource, Service service)
    {
        foreach (var variable in service.Environment.Keys.Where(k => InternalVariables.Any(p => k.StartsWith(p, StringComparison.Ordinal))).ToList())
            service.Environment.Remove(variable);
        service.Ports = [];
        service.Restart = "unless-stopped";
        service.SecurityOpt = ["no-new-privileges:true"];
        service.CapDrop = ["ALL"];
        service.Logging = new() { Driver = "json-file", Options = new() { ["max-size"] = "10m", ["max-file"] = "5" } };
        switch (service.Name)
        {
            case "mysql": MySql(service); break;
            case "redis": Redis(service); break;
            case "kafka": Kafka(service); break;
            case "schema": Schema(service); break;
            case "api": Api(service); break;
            case "workers": Workers(service); break;
            case "payment-sandbox": Sandbox(service); break;
            case "proxy": Proxy(service); break;
            case "proxy-volumes": ProxyVolumes(service); break;
            case "keycloak": Keycloak(service); break;
            case "otel-collector" or "prometheus" or "grafana": Observability(service); break;
            default: throw new InvalidOperationException($"How is {service.Name} to run on the machine? Say it in {nameof(ComposeServices)}.");
        }
    }

    static void MySql(Service service)
    {
        service.Image = "mysql:9.7";
        service.User = "mysql";
        service.Environment = new() { ["MYSQL_ROOT_PASSWORD_FILE"] = "/run/secrets/root-password", ["MYSQL_DATABASE"] = "commerce" };
        // A process has up to 120 pooled connections, and four processes run while the Api is replaced.
        service.Command.AddRange(["--innodb-buffer-pool-size=384M", "--max-connections=500", "--binlog-expire-logs-seconds=259200"]);
        service.Volumes = [Data("mysql", "/var/lib/mysql"), Bind("./secrets/mysql", "/run/secrets"), Bind("./mysql-users.sh", "/docker-entrypoint-initdb.d/users.sh")];
        service.Healthcheck = Check(["CMD", "mysqladmin", "ping", "-h", "127.0.0.1", "--silent"], startPeriod: "120s");
        service.StopGracePeriod = "60s";
        Limit(service, "896M", "1.5");
        On(service, Back);
    }

    static void Redis(Service service)
    {
        service.Image = "redis:8.6";
        service.User = "redis";
        service.Environment = new() { ["REDIS_USERS_VERSION"] = "${REDIS_USERS_VERSION:-}" };
        service.Entrypoint = [];
        service.Command = ["redis-server", "--appendonly", "yes", "--save", "", "--maxmemory", "256mb", "--maxmemory-policy", "noeviction",
            "--notify-keyspace-events", "Ex", "--aclfile", "/run/secrets/users.acl",
            // The default user needs no password and may only PING. Without this line the server would reject other containers.
            "--protected-mode", "no"];
        service.Volumes = [Data("redis", "/data"), Bind("./secrets/redis", "/run/secrets")];
        service.Healthcheck = Check(["CMD-SHELL", "redis-cli ping | grep -q PONG"], startPeriod: "60s");
        service.ReadOnly = true;
        Limit(service, "448M", "1.0");
        On(service, Back);
    }

    static void Kafka(Service service)
    {
        service.Image = "apache/kafka:4.2.2";
        service.User = "appuser";
        service.Environment = new()
        {
            ["KAFKA_NODE_ID"] = "1",
            ["KAFKA_PROCESS_ROLES"] = "broker,controller",
            ["KAFKA_LISTENERS"] = "PLAINTEXT://:9092,CONTROLLER://:9093",
            ["KAFKA_ADVERTISED_LISTENERS"] = "PLAINTEXT://kafka:9092",
            ["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"] = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            ["KAFKA_CONTROLLER_LISTENER_NAMES"] = "CONTROLLER",
            ["KAFKA_CONTROLLER_QUORUM_VOTERS"] = "1@localhost:9093",
            ["KAFKA_LOG_DIRS"] = "/var/lib/kafka/data",
            ["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] = "false",
            ["KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR"] = "1",
            ["KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR"] = "1",
            ["KAFKA_TRANSACTION_STATE_LOG_MIN_ISR"] = "1",
            ["KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS"] = "0",
            ["KAFKA_LOG_RETENTION_HOURS"] = "168",
            // There is only one copy of each message. It is flushed to disk before the acknowledgement, because a power failure would lose
            // it.
            ["KAFKA_LOG_FLUSH_INTERVAL_MESSAGES"] = "1",
            // With the default, a restarted broker waits 9 s for its killed predecessor.
            ["KAFKA_BROKER_SESSION_TIMEOUT_MS"] = "3000",
            ["KAFKA_BROKER_HEARTBEAT_INTERVAL_MS"] = "500",
            ["KAFKA_HEAP_OPTS"] = "-Xms256m -Xmx320m",
        };
        service.Expose = ["9092"];
        service.Volumes = [Data("kafka", "/var/lib/kafka/data")];
        service.Healthcheck = Check(["CMD", "bash", "-c", "</dev/tcp/127.0.0.1/9092"], startPeriod: "90s");
        service.StopGracePeriod = "60s";
        Limit(service, "640M", "1.0");
        On(service, Back);
    }

    static void Schema(Service service)
    {
        DotNet(service, "schema", "${WORKERS_IMAGE:?}");
        service.Expose = [];
        service.Restart = "no";
        Limit(service, "256M", "1.0");
        On(service, Back);
    }

    static void Api(Service service)
    {
        DotNet(service, "api", "${API_IMAGE:?}");
        Payments(service);
        service.Environment["Http__PublicUrl"] = "https://${DOMAIN:?}/";
        service.Environment["Http__KnownProxies__0"] = FrontSubnet;
        // The health check uses localhost.
        service.Environment["AllowedHosts"] = "${DOMAIN:?};localhost";
        service.Environment["Authentication__Schemes__Bearer__Authority"] = "${OIDC_AUTHORITY:-}";
        service.Environment["Authentication__Schemes__Bearer__ValidAudiences__0"] = "${OIDC_AUDIENCE:-commerce}";
        service.Environment["SignIn__ClientId"] = "${OIDC_CLIENT_ID:-}";
        service.Environment["SignIn__Scope"] = "${OIDC_SCOPE:-openid profile}";
        service.Environment["SignIn__Parameters"] = "${OIDC_PARAMETERS:-}";
        service.Environment["Authentication__Roles__Claim"] = "${OIDC_ROLE_CLAIM:-role}";
        service.Environment["Authentication__Roles__Admin__0"] = "${OIDC_ADMIN_ROLE:-ADMIN}";
        service.Environment["Authentication__Roles__Member__0"] = "${OIDC_MEMBER_ROLE:-*}";
        // The delay is longer than the proxy's idle timeout and its DNS refresh.
        service.Environment["Shutdown__DrainDelay"] = "00:00:05";
        service.StopGracePeriod = "45s";
        service.Healthcheck = Ready();
        service.Deploy = new() { Replicas = 2 };
        Limit(service, "256M", "1.5");
        On(service, Front, Back);
    }

    static void Workers(Service service)
    {
        DotNet(service, "workers", "${WORKERS_IMAGE:?}");
        Payments(service);
        service.StopGracePeriod = "45s";
        service.Healthcheck = Ready();
        Limit(service, "320M", "1.5");
        // The payment gateway is reached through the front network.
        On(service, Front, Back);
    }

    static void Sandbox(Service service)
    {
        DotNet(service, "payment-sandbox", "${PAYMENT_SANDBOX_IMAGE:-payment-sandbox}");
        service.Profiles = ["sandbox"];
        service.Environment.Remove("Sandbox__ClientSecret");
        service.Environment["Sandbox__ReturnOrigins__0"] = "https://${DOMAIN:?}";
        service.Environment["Sandbox__Allowed"] = "${PAYMENTS_SANDBOX:-false}";
        // The ledger is kept as long as the database, because the audit compares them. The home folder belongs to the image's user, and a
        // volume that starts as its copy does too.
        service.Environment["Sandbox__LedgerFile"] = "/home/app/ledger.jsonl";
        service.Volumes.Add(Data("payment-sandbox", "/home/app"));
        service.Healthcheck = Ready();
        Limit(service, "128M", "0.5");
        On(service, Front);
    }

    static void Proxy(Service service)
    {
        service.User = "1000:1000";
        // IPv4 only. Over IPv6 the engine would hide the caller's address.
        service.Ports = ["0.0.0.0:80:80", "0.0.0.0:443:443"];
        service.Environment = new() { ["DOMAIN"] = "${DOMAIN:?}", ["ADMIN_RANGES"] = "${ADMIN_RANGES:-127.0.0.1/32}", ["ACME_OPTIONS"] = "${ACME_EMAIL:+email ${ACME_EMAIL:-}}" };
        service.Volumes = [Data("proxy", "/data"), Data("proxy-config", "/config"), Bind("./proxy", "/etc/caddy")];
        service.DependsOn = new() { ["proxy-volumes"] = new() { Condition = "service_completed_successfully" }, ["api"] = new() { Condition = "service_healthy" } };
        // The admin interface of Caddy can only be reached within the container.
        service.Healthcheck = Check(Fetches("http://127.0.0.1:2019/config/"), startPeriod: "10s");
        service.ReadOnly = true;
        service.StopGracePeriod = "30s";
        Limit(service, "128M", "1.0");
        On(service, Front);
    }

    // The image's folders belong to root, but the proxy runs as another user.
    static void ProxyVolumes(Service service)
    {
        service.User = "0:0";
        service.CapDrop = [];
        service.Restart = "no";
        service.Entrypoint = ["chown"];
        service.Command = ["-R", "1000:1000", "/data", "/config"];
        service.Volumes = [Data("proxy", "/data"), Data("proxy-config", "/config")];
        Limit(service, "32M", "0.5");
        On(service, Back);
    }

    // Keycloak is for a shop without a provider. Its pages are at https://$DOMAIN/auth, and its data is in its own volume.
    static void Keycloak(Service service)
    {
        service.Profiles = ["keycloak"];
        // The image only reads the password from the environment. It is set for the process alone, so the container's settings do not show
        // it.
        service.Entrypoint = ["bash", "-c", "export KC_BOOTSTRAP_ADMIN_PASSWORD=$$(</run/secrets/admin-password) && exec /opt/keycloak/bin/kc.sh \"$$@\"", "kc.sh"];
        service.Command = ["start", "--http-enabled=true", "--http-relative-path=/auth", "--proxy-headers=xforwarded", "--hostname=https://${DOMAIN:?}/auth", "--db=dev-file"];
        service.Environment = new() { ["KC_BOOTSTRAP_ADMIN_USERNAME"] = "admin", ["JAVA_OPTS_KC_HEAP"] = "-Xms128m -Xmx384m" };
        service.Expose = ["8080"];
        service.Volumes = [Data("keycloak", "/opt/keycloak/data"), Bind("./secrets/keycloak", "/run/secrets")];
        service.Healthcheck = Check(["CMD", "bash", "-c", "</dev/tcp/127.0.0.1/8080"], startPeriod: "180s");
        Limit(service, "768M", "1.0");
        On(service, Front);
    }

    static void Observability(Service service)
    {
        service.Profiles = ["observability"];
        switch (service.Name)
        {
            case "otel-collector":
                service.Command = ["--config=/etc/otelcol/config.yaml"];
                service.Volumes = [Bind("./observability/otel-collector.yaml", "/etc/otelcol/config.yaml")];
                Limit(service, "128M", "0.5");
                break;
            case "prometheus":
                service.Command = ["--config.file=/etc/prometheus/prometheus.yaml", "--storage.tsdb.path=/prometheus", "--storage.tsdb.retention.time=15d", "--web.listen-address=0.0.0.0:9090"];
                service.Volumes = [Bind("./observability", "/etc/prometheus"), Data("prometheus", "/prometheus")];
                service.Healthcheck = Check(Fetches("http://127.0.0.1:9090/-/ready"), startPeriod: "60s");
                Limit(service, "320M", "0.5");
                break;
            case "grafana":
                // The port can only be reached through an ssh tunnel: ssh -L 3000:127.0.0.1:3000.
                service.Ports = ["127.0.0.1:3000:3000"];
                service.Environment = new() { ["GF_SECURITY_ADMIN_PASSWORD__FILE"] = "/run/secrets/admin-password", ["GF_ANALYTICS_REPORTING_ENABLED"] = "false" };
                service.Volumes = [Bind("./observability/grafana", "/etc/grafana/provisioning"), Bind("./secrets/grafana", "/run/secrets"), Data("grafana", "/var/lib/grafana")];
                service.Healthcheck = Check(Fetches("http://127.0.0.1:3000/api/health"), startPeriod: "60s");
                Limit(service, "256M", "0.5");
                break;
        }
        service.ReadOnly = service.Name == "otel-collector" ? true : null;
        On(service, Front, Back);
    }

    static void Complete(ComposeFile file)
    {
        file.Name = "commerce";
        file.Networks = new()
        {
            [Front] = new() { Name = Front, Driver = "bridge", Ipam = new() { Config = [new() { ["subnet"] = FrontSubnet }] } },
            // An internal network has no way in or out.
            [Back] = new() { Name = Back, Driver = "bridge", Internal = true },
        };
        file.Volumes = file.Services.Values.SelectMany(s => s.Volumes).Where(v => v.Type == "volume").Select(v => v.Name).Distinct().Order(StringComparer.Ordinal)
            .ToDictionary(name => name, name => new Volume { Name = name, Driver = "local" });
        // Aspire writes service_started for every dependency. A dependency with a health check must be healthy instead.
        foreach (var service in file.Services.Values)
        {
            service.Environment = service.Environment.OrderBy(v => v.Key, StringComparer.Ordinal).ToDictionary();
            foreach (var (on, dependency) in service.DependsOn.ToList())
                if (!file.Services.TryGetValue(on, out var other) || other.Profiles.Count > 0) service.DependsOn.Remove(on);
                else if (other.Healthcheck is not null) dependency.Condition = "service_healthy";
        }
    }

    static void DotNet(Service service, string secrets, string image)
    {
        service.Image = image;
        service.User = App;
        service.Environment["ASPNETCORE_HTTP_PORTS"] = "8080";
        service.Environment["Secrets__Directory"] = "/run/secrets";
        // deploy.sh sets the value. A new value creates a new container, even if only a secret has changed.
        service.Environment["CONFIGURATION"] = "${CONFIGURATION:-}";
        service.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "${OTEL_EXPORTER_OTLP_ENDPOINT:-}";
        service.Environment["OTEL_SERVICE_NAME"] = service.Name;
        service.Expose = ["8080"];
        service.Volumes = [Bind($"./secrets/{secrets}", "/run/secrets")];
        service.ReadOnly = true;
        service.Tmpfs = ["/tmp"];
    }

    static void Payments(Service service)
    {
        const string gateway = "Payments__Gateway__";
        service.Environment.Remove($"{gateway}ClientSecret");
        service.Environment[$"{gateway}BaseAddress"] = "${PAYMENT_GATEWAY:-https://pay.paygate.naver.com}";
        service.Environment[$"{gateway}PayWindowUrl"] = "https://${DOMAIN:?}${PAY_WINDOW:-/naverpay.html}";
        service.Environment[$"{gateway}PartnerId"] = "${NAVERPAY_PARTNER_ID:-naverpay-partner}";
        service.Environment[$"{gateway}ClientId"] = "${NAVERPAY_CLIENT_ID:-commerce}";
        service.Environment[$"{gateway}ChainId"] = "${NAVERPAY_CHAIN_ID:-commerce-chain}";
        service.Environment[$"{gateway}Mode"] = "${NAVERPAY_MODE:-production}";
        service.Environment[$"{gateway}Sandbox"] = "${PAYMENTS_SANDBOX:-false}";
    }

    /// <summary>The image has no curl, but its shell can speak HTTP.</summary>
    static Healthcheck Ready() => Check(["CMD", "bash", "-c",
        "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /health HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && read -r line <&3 && [[ $$line == *' 200 '* ]]"], "60s");

    /// <summary>Some images have wget, others curl.</summary>
    static List<string> Fetches(string url) => ["CMD-SHELL", $"wget -q -O /dev/null {url} || curl -sf -o /dev/null {url}"];

    static Healthcheck Check(List<string> test, string startPeriod) => new() { Test = test, Interval = "5s", Timeout = "3s", Retries = 5, StartPeriod = startPeriod };

    static void Limit(Service service, string memory, string cpus) =>
        (service.Deploy ??= new()).Resources = new() { Limits = new() { Memory = memory, Cpus = cpus } };

    static void On(Service service, params List<string> networks) => service.Networks = networks;

    static Volume Data(string name, string target) => new() { Name = name, Type = "volume", Source = name, Target = target };

    static Volume Bind(string source, string target) => new() { Name = source, Type = "bind", Source = source, Target = target, ReadOnly = true };
}
