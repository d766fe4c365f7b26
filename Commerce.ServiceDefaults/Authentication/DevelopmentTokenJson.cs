using System.Text.Json.Serialization;

namespace Commerce.ServiceDefaults;

[JsonSerializable(typeof(TokenRequest))]
[JsonSerializable(typeof(TokenResponse))]
sealed partial class DevelopmentTokenJson : JsonSerializerContext;
