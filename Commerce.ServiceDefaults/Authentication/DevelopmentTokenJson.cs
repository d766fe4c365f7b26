using System.Text.Json.Serialization;

namespace Commerce.ServiceDefaults;

[JsonSerializable(typeof(TokenRequest))]
[JsonSerializable(typeof(TokenAnswer))]
sealed partial class DevelopmentTokenJson : JsonSerializerContext;
