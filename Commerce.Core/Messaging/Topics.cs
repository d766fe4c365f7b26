using System.Text.Json;
using System.Text.Json.Serialization;

namespace Commerce.Core.Messaging;

/// <summary>The topics of the application. <c>topics.json</c> says how many partitions they must have at least.</summary>
public static class Topics
{
    /// <summary>One message for each coupon accepted by the gate.</summary>
    public const string CouponIssued = "COUPON_ISSUED";

    /// <summary>One message for each paid order: its pieces are to be taken off the stock.</summary>
    public const string OrderPlaced = "ORDER_PLACED";

    /// <summary>One message for each event that opened.</summary>
    public const string EventOpen = "EVENT_OPEN";

    /// <summary>Topic → partitions at least, dead-letter topics included. How many there are, <see cref="TopicPartitions"/> knows.</summary>
    public static IReadOnlyDictionary<string, int> Partitions { get; } =
        JsonSerializer.Deserialize(EmbeddedText.Read("Messaging/topics.json"), TopicsJson.Default.DictionaryStringInt32)!;

    /// <summary>Where messages of a topic go that cannot be handled.</summary>
    public static string DeadLetters(string topic) => topic + ".dlt";
}

[JsonSerializable(typeof(Dictionary<string, int>))]
sealed partial class TopicsJson : JsonSerializerContext;
