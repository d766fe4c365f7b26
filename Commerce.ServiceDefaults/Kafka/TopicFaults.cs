using Confluent.Kafka;

namespace Commerce.ServiceDefaults;

/// <summary>What the brokers refuse for the sake of a topic: its messages wait until it is repaired, those of other topics do not.</summary>
public static class TopicFaults
{
    /// <summary>Whether the topic is the reason: it is unknown, not ours to write to, or short of replicas.</summary>
    public static bool Is(ErrorCode code) => code is ErrorCode.UnknownTopicOrPart or ErrorCode.TopicException or ErrorCode.TopicAuthorizationFailed
        or ErrorCode.NotEnoughReplicas or ErrorCode.NotEnoughReplicasAfterAppend or ErrorCode.InvalidRequiredAcks or ErrorCode.PolicyViolation
        or ErrorCode.Local_UnknownTopic or ErrorCode.Local_UnknownPartition;
}
