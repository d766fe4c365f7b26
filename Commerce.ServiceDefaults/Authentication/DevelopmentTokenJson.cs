using System.Text.Json.Serialization;

namespace Commerce.ServiceDefaults;

[JsonSerializable(typeof(TokenRequest))]
[JsonSerializable(typeof(TokenAnswer))]
internal sealed partial class DevelopmentTokenJson : JsonSerializerContext;
