using Confluent.Kafka;

namespace Commerce.ServiceDefaults;

/// <summary>Refusals that a topic causes. Its messages wait until it is repaired; other topics go on.</summary>
public static class TopicFaults
{
    /// <summary>Whether the topic is the reason: it is unknown, forbidden, or short of replicas.</summary>
    public static bool Is(ErrorCode code) => code is ErrorCode.UnknownTopicOrPart or ErrorCode.TopicException or ErrorCode.TopicAuthorizationFailed
        or ErrorCode.NotEnoughReplicas or ErrorCode.NotEnoughReplicasAfterAppend or ErrorCode.InvalidRequiredAcks or ErrorCode.PolicyViolation
        or ErrorCode.Local_UnknownTopic or ErrorCode.Local_UnknownPartition;
}
