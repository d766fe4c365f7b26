using System.Text.Json;
using System.Text.Json.Serialization;
using Commerce.PaymentSandbox.Faults;
using Commerce.PaymentSandbox.Ledger;
using Commerce.PaymentSandbox.Partner;
using Commerce.PaymentSandbox.PayWindow;

namespace Commerce.PaymentSandbox;

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(KeptPayment))]
[JsonSerializable(typeof(PayOrder))]
[JsonSerializable(typeof(Authorization))]
[JsonSerializable(typeof(HistoryQuery))]
[JsonSerializable(typeof(Answer<ApplyBody>))]
[JsonSerializable(typeof(Answer<HistoryBody>))]
[JsonSerializable(typeof(Answer<CancelBody>))]
[JsonSerializable(typeof(Answer<NoBody>))]
[JsonSerializable(typeof(NotAuthenticated))]
[JsonSerializable(typeof(IReadOnlyList<Fault>))]
[JsonSerializable(typeof(IEnumerable<PaymentView>))]
[JsonSerializable(typeof(IEnumerable<OrderSummary>))]
[JsonSerializable(typeof(ConsoleCancel))]
sealed partial class SandboxJson : JsonSerializerContext;
