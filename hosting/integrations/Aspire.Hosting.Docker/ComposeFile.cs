using Aspire.Hosting.Docker.Resources.ComposeNodes;
using Aspire.Hosting.Docker.Resources.ServiceNodes;
using Aspire.Hosting.Docker.Resources.ServiceNodes.Swarm;
using YamlDotNet.Core;
using YamlDotNet.Serialization;
using YamlDotNet.Serialization.EventEmitters;
using YamlDotNet.Serialization.NamingConventions;

// These are the members of the compose file that this application uses, with the package's names, types and order.

namespace Aspire.Hosting.Docker.Resources
{
    public sealed class ComposeFile
    {
        public string? Name { get; set; }
        public Dictionary<string, Service> Services { get; set; } = [];
        public Dictionary<string, Network> Networks { get; set; } = [];
        public Dictionary<string, Volume> Volumes { get; set; } = [];

        public ComposeFile AddNetwork(Network network)
        {
            Networks[network.Name] = network;
            return this;
        }

        public ComposeFile AddService(Service service)
        {
            Services[service.Name] = service;
            return this;
        }

        public ComposeFile AddVolume(Volume volume)
        {
            Volumes[volume.Name] = volume;
            return this;
        }

        /// <summary>
        /// Returns the file as text. Empty members are omitted. Every string is quoted, so that <c>no</c> or <c>1.10</c> stay strings.
        /// </summary>
        public string ToYaml(string lineEndings = "\n") => new SerializerBuilder()
            .WithNamingConvention(UnderscoredNamingConvention.Instance)
            .ConfigureDefaultValuesHandling(DefaultValuesHandling.OmitNull | DefaultValuesHandling.OmitEmptyCollections)
            .WithEventEmitter(next => new QuotedTexts(next))
            .WithNewLine(lineEndings)
            .WithIndentedSequences()
            .DisableAliases()
            .Build()
            .Serialize(this);

        /// <summary>Quotes strings, except keys of mappings.</summary>
        sealed class QuotedTexts(IEventEmitter next) : ChainedEventEmitter(next)
        {
            // For each open mapping, whether a key comes next. Null for a sequence.
            readonly Stack<bool?> _open = new();

            public override void Emit(ScalarEventInfo eventInfo, IEmitter emitter)
            {
                if (!Advance() && eventInfo.Source.Type == typeof(string)) eventInfo.Style = ScalarStyle.DoubleQuoted;
                base.Emit(eventInfo, emitter);
            }

            public override void Emit(MappingStartEventInfo eventInfo, IEmitter emitter)
            {
                Advance();
                _open.Push(true);
                base.Emit(eventInfo, emitter);
            }

            public override void Emit(SequenceStartEventInfo eventInfo, IEmitter emitter)
            {
                Advance();
                _open.Push(null);
                base.Emit(eventInfo, emitter);
            }

            public override void Emit(MappingEndEventInfo eventInfo, IEmitter emitter)
            {
                _open.Pop();
                base.Emit(eventInfo, emitter);
            }

            public override void Emit(SequenceEndEventInfo eventInfo, IEmitter emitter)
            {
                _open.Pop();
                base.Emit(eventInfo, emitter);
            }

            /// <summary>Whether the current scalar is a key.</summary>
            bool Advance()
            {
                if (!_open.TryPop(out var state)) return false;
                _open.Push(!state);
                return state is true;
            }
        }
    }
}

namespace Aspire.Hosting.Docker.Resources.ComposeNodes
{
    public abstract class NamedComposeMember
    {
        [YamlIgnore]
        public required string Name { get; set; }
    }

    public sealed class Service : NamedComposeMember
    {
        public string? Image { get; set; }
        public List<string> Command { get; set; } = [];
        public List<string> Entrypoint { get; set; } = [];
        public Dictionary<string, string> Environment { get; set; } = [];
        public List<string> Ports { get; set; } = [];
        public List<string> Expose { get; set; } = [];
        public List<Volume> Volumes { get; set; } = [];
        public Dictionary<string, ServiceDependency> DependsOn { get; set; } = [];
        public string? User { get; set; }
        public List<string> Networks { get; set; } = [];
        public string? Restart { get; set; }
        public Deploy? Deploy { get; set; }
        public Healthcheck? Healthcheck { get; set; }
        public Logging? Logging { get; set; }
        public List<string> CapDrop { get; set; } = [];
        public List<string> Profiles { get; set; } = [];
        public bool? ReadOnly { get; set; }
        public List<string> SecurityOpt { get; set; } = [];
        public string? StopGracePeriod { get; set; }
        public List<string> Tmpfs { get; set; } = [];

        public Service AddVolume(Volume volume)
        {
            Volumes.Add(volume);
            return this;
        }
    }

    public sealed class ServiceDependency
    {
        public string? Condition { get; set; }
    }

    public sealed class Network : NamedComposeMember
    {
        public string? Driver { get; set; }
        public Ipam? Ipam { get; set; }
        public bool? Internal { get; set; }
    }
}

namespace Aspire.Hosting.Docker.Resources.ServiceNodes
{
    public sealed class Volume : NamedComposeMember
    {
        public string? Type { get; set; }
        public string? Target { get; set; }
        public string? Source { get; set; }
        public bool? ReadOnly { get; set; }
        public string? Driver { get; set; }
    }

    public sealed class Healthcheck
    {
        public List<string> Test { get; set; } = [];
        public required string Interval { get; set; }
        public required string Timeout { get; set; }
        public int? Retries { get; set; }
        public required string StartPeriod { get; set; }
    }

    public sealed class Logging
    {
        public string? Driver { get; set; }
        public Dictionary<string, string> Options { get; set; } = [];
    }

    public sealed class Ipam
    {
        public List<Dictionary<string, string>> Config { get; set; } = [];
    }
}

namespace Aspire.Hosting.Docker.Resources.ServiceNodes.Swarm
{
    public sealed class Deploy
    {
        public int? Replicas { get; set; }
        public Resources? Resources { get; set; }
    }

    public sealed class Resources
    {
        public ResourceSpec? Limits { get; set; }
    }

    public sealed class ResourceSpec
    {
        public string? Cpus { get; set; }
        public string? Memory { get; set; }
    }
}
