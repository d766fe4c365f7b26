using System.Text.Json;
using System.Text.Json.Serialization;

namespace Commerce.Core.Messaging;

/// <summary>The topics of the application. <c>topics.json</c> has their minimum number of partitions.</summary>
public static class Topics
{
    /// <summary>One message per coupon that the gate accepted.</summary>
    public const string CouponIssued = "COUPON_ISSUED";

    /// <summary>One message per paid order. Its consumer deducts the stock.</summary>
    public const string OrderPlaced = "ORDER_PLACED";

    /// <summary>One message per change of an order, for other systems. The application itself has no consumer.</summary>
    public const string OrderChanged = "ORDER_CHANGED";

    /// <summary>One message per opened event.</summary>
    public const string EventOpen = "EVENT_OPEN";

    /// <summary>
    /// Topic → minimum number of partitions, including dead-letter topics. <see cref="TopicPartitions"/> has the actual number.
    /// </summary>
    public static IReadOnlyDictionary<string, int> Partitions { get; } =
        JsonSerializer.Deserialize(EmbeddedText.Read("Messaging/topics.json"), TopicsJson.Default.DictionaryStringInt32)!;

    /// <summary>The dead-letter topic of a topic.</summary>
    public static string DeadLetters(string topic) => topic + ".dlt";
}

[JsonSerializable(typeof(Dictionary<string, int>))]
sealed partial class TopicsJson : JsonSerializerContext;
