using System.Text;
using Commerce.Core.Messaging;
using Confluent.Kafka;

namespace Commerce.Tests.Faults.Coupons;

/// <summary>Tests messages that the application did not write, in every topic and every dead-letter topic.</summary>
public sealed class PoisonTests(CommerceStack stack) : CouponFaultTests(stack)
{
    /// <summary>The size is below the limits of producer and broker. With the added reason of a dead letter it is above them.</summary>
    const int Largest = 999_000;

    /// <summary>The topics that the application consumes.</summary>
    public static TheoryData<string> ConsumedTopics { get; } = [.. Topics.Partitions.Keys.Where(topic => topic != Topics.OrderChanged)];

    [Theory]
    [MemberData(nameof(ConsumedTopics))]
    public async Task F5_Poison_of_every_kind_is_a_dead_letter_and_the_partition_moves_on(string topic)
    {
        var prefix = $"kinds-{Guid.NewGuid():N}";
        var kinds = Kinds().ToList();
        var partition = new TopicPartition(topic, 0);
        foreach (var kind in kinds)
        {
            var message = new Message<string?, byte[]?> { Key = prefix + kind.Key, Value = kind.Value, Headers = kind.Headers };
            await SentAsync(partition, message);
        }

        // Each message that is sent again becomes its own dead letter.
        await Eventually.EqualAsync(kinds.Count, () => Database.SingleAsync<int>(
            "SELECT COUNT(DISTINCT message_key) FROM dead_letter WHERE message_key LIKE CONCAT(@prefix, '%')", new { prefix }, Cancelled));
        // The message has no key.
        await SentAsync(partition, new() { Value = "null"u8.ToArray() });
        await SentAsync(partition, new() { Key = prefix + "-last", Value = "null"u8.ToArray() });
        await Eventually.EqualAsync(1, () => Database.SingleAsync<int>(
            "SELECT COUNT(DISTINCT message_key) FROM dead_letter WHERE message_key = @last", new { last = prefix + "-last" }, Cancelled));
        await CheckConsistencyAsync();
    }

    static IEnumerable<Poison> Kinds()
    {
        string[] texts =
        [
            "", " ", "{ not json", "null", "[]", "{}", "0", "\"text\"", "true", new string('[', 2000), "\uFEFF{}",
            """{"type":"SOMETHING_ELSE"}""",
            """{"couponId":"one","orderId":1,"eventId":{},"items":"none","seq":[]}""",
            """{"couponId":1e400,"epoch":99999999999999999999,"eventId":1e400,"seq":1e400,"orderId":null,"items":null}""",
            """{"couponId":-1,"epoch":-1,"userId":"u","acceptedAt":-1,"orderId":"","items":[],"eventId":-1,"seq":-1,"name":""}""",
            """{"couponId":1,"epoch":1,"userId":"two\nlines","acceptedAt":1}""",
            """{"couponId":1,"epoch":1,"userId":"u","acceptedAt":9223372036854775807}""",
        ];
        for (var i = 0; i < texts.Length; i++) yield return new($"-text-{i}", Encoding.UTF8.GetBytes(texts[i]));
        yield return new("-empty", null);
        yield return new("-bytes", [0xFF, 0xFE, 0x00, 0xC3, 0x28]);
        yield return new("-utf16", Encoding.Unicode.GetBytes("{}"));
        yield return new("-large", new byte[200_000]);
        yield return new("-largest", new byte[Largest]);
        yield return new("-long-key-" + new string('k', 600), "null"u8.ToArray());
        yield return new("-longest-key-" + new string('k', Largest), null);
        yield return new("-foreign-key-\u0000\uD55C\u2028", "null"u8.ToArray());
        yield return new("-headers", "null"u8.ToArray(), new() { { "large", new byte[Largest] } });
        yield return new("-null-header", "null"u8.ToArray(), new() { { "nothing", null }, { "message-id", [0xFF] }, { "traceparent", [0xFF] } });
        yield return new("-forged", "null"u8.ToArray(), new()
        {
            { DeadLetterHeaders.Topic, new byte[300] }, { DeadLetterHeaders.Reason, new byte[5000] }, { DeadLetterHeaders.Detail, new byte[5000] },
            { DeadLetterHeaders.Partition, "first"u8.ToArray() }, { DeadLetterHeaders.Offset, "-9223372036854775809"u8.ToArray() }, { DeadLetterHeaders.FailedAt, "yesterday"u8.ToArray() },
        });
        yield return new("-latest", "null"u8.ToArray(), new() { { DeadLetterHeaders.FailedAt, "9999-12-31T23:59:59.9999999Z"u8.ToArray() } });
    }

    Task<DeliveryResult<string?, byte[]?>> SentAsync(TopicPartition partition, Message<string?, byte[]?> message) => Eventually.DoneAsync(() => Producer.ProduceAsync(partition, message, Cancelled));

    sealed record Poison(string Key, byte[]? Value, Headers? Headers = null);
}
