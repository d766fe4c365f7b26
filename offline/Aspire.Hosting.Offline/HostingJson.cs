using System.Text.Json.Serialization;

namespace Aspire.Hosting;

[JsonSourceGenerationOptions(WriteIndented = true)]
[JsonSerializable(typeof(Dictionary<string, string>))]
internal sealed partial class HostingJson : JsonSerializerContext;
