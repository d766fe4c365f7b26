using Confluent.Kafka;

namespace Commerce.ServiceDefaults;

/// <summary>Errors that a topic causes. Its messages wait until it is repaired, and other topics continue.</summary>
public static class TopicFaults
{
    /// <summary>Whether the topic is the reason of an error: it is unknown, forbidden, or has too few replicas.</summary>
    public static bool Is(ErrorCode code) => code is ErrorCode.UnknownTopicOrPart or ErrorCode.TopicException or ErrorCode.TopicAuthorizationFailed
        or ErrorCode.NotEnoughReplicas or ErrorCode.NotEnoughReplicasAfterAppend or ErrorCode.InvalidRequiredAcks or ErrorCode.PolicyViolation
        or ErrorCode.Local_UnknownTopic or ErrorCode.Local_UnknownPartition;
}
