using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Commerce.ServiceDefaults;

/// <summary>Sends requests to the brokers through the admin client of the process, which uses the producer's connections.</summary>
/// <remarks>
/// Never query the offsets of a consumer group with it. If the group's coordinator is unavailable or still loading, librdkafka 2.16
/// treats the answer as that of a consumer, and the process crashes (SIGSEGV). Never describe a cluster or a topic without
/// <see cref="CheckReadyAsync"/>.
/// </remarks>
public sealed class KafkaAdmin(KafkaProducer producer)
{
    /// <summary>Returns the brokers' metadata of all topics.</summary>
    /// <exception cref="KafkaException">The brokers are unavailable.</exception>
    public Task<Metadata> DescribeTopicsAsync(TimeSpan within, CancellationToken cancellationToken) =>
        AskAsync(client => Task.Run(() => client.GetMetadata(within)), cancellationToken);

    /// <summary>Returns the configuration of a topic.</summary>
    /// <exception cref="KafkaException">The brokers are unavailable.</exception>
    public async Task<TopicMetadata> DescribeTopicAsync(string topic, TimeSpan within, CancellationToken cancellationToken) =>
        (await AskAsync(client => Task.Run(() => client.GetMetadata(topic, within)), cancellationToken)).Topics.Single(t => t.Topic == topic);

    /// <summary>Topic → its id. A topic that is created again has a new id. Missing topics are omitted.</summary>
    /// <exception cref="KafkaException">The brokers are unavailable.</exception>
    public async Task<IReadOnlyDictionary<string, string>> TopicIdsAsync(IEnumerable<string> topics, TimeSpan within, CancellationToken cancellationToken)
    {
        var described = await AskAsync(DescribeAsync, cancellationToken);
        return described.Where(t => !t.Error.IsError).ToDictionary(t => t.Name, t => t.TopicId.ToString());

        async Task<List<TopicDescription>> DescribeAsync(IAdminClient client)
        {
            await CheckReadyAsync(client, within);
            try
            {
                return (await client.DescribeTopicsAsync(TopicCollection.OfTopicNames(topics), new() { RequestTimeout = within })).TopicDescriptions;
            }
            catch (DescribeTopicsException e)
            {
                return e.Results.TopicDescriptions;
            }
        }
    }

    /// <summary>Returns the offset after the last message of each partition.</summary>
    /// <exception cref="KafkaException">The brokers are unavailable, or a partition has no leader.</exception>
    public async Task<IReadOnlyDictionary<TopicPartition, long>> EndsAsync(IEnumerable<TopicPartition> partitions, TimeSpan within, CancellationToken cancellationToken)
    {
        var specs = partitions.Select(p => new TopicPartitionOffsetSpec { TopicPartition = p, OffsetSpec = OffsetSpec.Latest() }).ToList();
        var result = await AskAsync(client => client.ListOffsetsAsync(specs, new() { RequestTimeout = within }), cancellationToken);
        return result.ResultInfos.ToDictionary(i => i.TopicPartitionOffsetError.TopicPartition, i => i.TopicPartitionOffsetError.Offset.Value);
    }

    /// <summary>
    /// Throws unless a broker knows the cluster. A broker that has just started answers without any broker. librdkafka 2.16 does not
    /// treat this as an error of DescribeCluster and DescribeTopics, and a failed assertion (<c>rd_kafka_admin_response_parse</c>) ends
    /// the process.
    /// </summary>
    static async Task CheckReadyAsync(IAdminClient client, TimeSpan within)
    {
        var metadata = await Task.Run(() => client.GetMetadata(within));
        if (metadata.Brokers.Count == 0) throw new KafkaException(ErrorCode.Local_AllBrokersDown);
    }

    /// <summary>Sends another request to the brokers.</summary>
    /// <param name="ask">The request. It must end within seconds, because a cancellation does not stop it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<T> AskAsync<T>(Func<IAdminClient, Task<T>> ask, CancellationToken cancellationToken) => producer.AskAsync(ask).WaitAsync(cancellationToken);
}
