using System.Net.Sockets;
using System.Text.Json;
using Commerce.ServiceDefaults;
using Confluent.Kafka;
using Polly.CircuitBreaker;
using Polly.Timeout;
using StackExchange.Redis;

// The newer constructors require the flags of a command, and there is no command here.
#pragma warning disable CS0618

namespace Commerce.Tests.Unit.ServiceDefaults;

/// <summary>
/// Tests the cause of a fault: a dependency (503, retry), a message (dead letter), or neither (500, the message waits).
/// </summary>
public sealed class FaultTests
{
    /// <summary>
    /// Exceptions of the clients of Redis, MySQL and Kafka when these are unavailable, fail over, are full, or reject our credentials.
    /// </summary>
    public static TheoryData<Exception> OfDependencies =>
    [
        new RedisConnectionException(ConnectionFailureType.UnableToConnect, "No connection is active/available to service this operation: EVALSHA"),
        new RedisConnectionException(ConnectionFailureType.AuthenticationFailure, "WRONGPASS invalid username-password pair or user is disabled."),
        new RedisTimeoutException("Timeout awaiting response", CommandStatus.Sent),
        new RedisCommandException("This operation has been performed against a server that is not the primary."),
        .. new[]
        {
            "NOAUTH Authentication required.", "WRONGPASS invalid username-password pair or user is disabled.",
            "NOPERM User commerce has no permissions to run the 'evalsha' command", "MOVED 866 127.0.0.1:7002", "ASK 866 127.0.0.1:7002",
            "Key has MOVED to Endpoint 127.0.0.1:7002 and hashslot 866 but CommandFlags.NoRedirect was specified - redirect not followed for EVALSHA.",
            "Endpoint 127.0.0.1:7001 serving hashslot 866 is not reachable at this point of time. Please check connectTimeout value.",
            "CLUSTERDOWN The cluster is down", "CLUSTERDOWN Hash slot not served", "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.", "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "TRYAGAIN Multiple keys request during rehashing of slot", "BUSY Redis is busy running a script.", "OOM command not allowed when used memory > 'maxmemory'.",
            "MISCONF Redis is configured to save RDB snapshots", "NOREPLICAS Not enough good replicas to write.", "UNBLOCKED force unblock",
            "ERR max number of clients reached", "ERR DISABLED You can't write against a non-cluster node",
        }.Select(message => new RedisServerException(message)),
        .. new (int? Number, string? State)[]
        {
            (1040, "08004"), (1042, null), (1044, "42000"), (1045, "28000"), (1049, "42000"), (1053, "08S01"), (1114, "HY000"), (1021, "HY000"), (1129, "HY000"),
            (1142, "42000"), (1143, "42000"), (1146, "42S02"), (1153, "08S01"), (1158, "08S01"), (1205, "HY000"), (1213, "40001"), (1227, "42000"), (1290, "HY000"),
            (1317, "70100"), (1792, "25006"), (1836, "HY000"), (1927, "70100"), (2006, null), (2013, null), (3024, "HY000"), (3032, "HY000"), (4031, "HY000"), (-1, null),
            (null, null),
        }.Select(e => new ServerError(e.Number, e.State)),
        new InvalidOperationException("An exception has been raised that is likely due to a transient failure.", new ServerError(1040)),
        .. new[]
        {
            ErrorCode.Local_AllBrokersDown, ErrorCode.Local_MsgTimedOut, ErrorCode.Local_Transport, ErrorCode.Local_Authentication, ErrorCode.Local_Ssl, ErrorCode.Local_Fatal,
            ErrorCode.Local_QueueFull, ErrorCode.UnknownTopicOrPart, ErrorCode.TopicAuthorizationFailed, ErrorCode.GroupAuthorizationFailed,
            ErrorCode.ClusterAuthorizationFailed, ErrorCode.SaslAuthenticationFailed, ErrorCode.NotEnoughReplicas, ErrorCode.NotEnoughReplicasAfterAppend,
            ErrorCode.OutOfOrderSequenceNumber, ErrorCode.InvalidProducerEpoch, ErrorCode.NotLeaderForPartition, ErrorCode.KafkaStorageError, ErrorCode.Unknown,
        }.Select(code => new KafkaException(code)),
        new ProduceException<string?, byte[]?>(new Error(ErrorCode.NotEnoughReplicas), new()),
        new ConsumeException(new(), new Error(ErrorCode.Local_MaxPollExceeded)),
        new TimeoutException(), new SocketException(), new EndOfStreamException(), new IOException(), new HttpRequestException(),
        new BrokenCircuitException(), new TimeoutRejectedException(),
        new AggregateException(new RedisTimeoutException("Timeout", CommandStatus.Sent)),
    ];

    /// <summary>All failures that a message causes: unreadable, too large, refused by a rule or a constraint.</summary>
    public static TheoryData<Exception> OfMessages =>
    [
        new JsonException(), new FormatException(), new OverflowException(), new ProblemException(CommonProblems.Validation),
        new ServerError(1062, "23000"), new ServerError(1406, "22001"), new ServerError(1644, "45000"),
        new InvalidOperationException("An error occurred while saving the entity changes.", new ServerError(1048, "23000")),
        new KafkaException(ErrorCode.MsgSizeTooLarge), new KafkaException(ErrorCode.InvalidRecord), new KafkaException(ErrorCode.InvalidMsg),
    ];

    /// <summary>Bugs, and failures with an unknown cause.</summary>
    public static TheoryData<Exception> OfNobody =>
    [
        new InvalidOperationException(), new InvalidCastException(), new ArgumentException("no such server"), new NotSupportedException(), new KeyNotFoundException(),
        new RedisServerException("WRONGTYPE Operation against a key holding the wrong kind of value"), new ServerError(1064, "42000"),
    ];

    [Theory, MemberData(nameof(OfDependencies))]
    public void What_a_dependency_throws_is_its_own_fault_and_no_message_pays_for_it(Exception exception)
    {
        Assert.True(TransientFaults.IsTransient(exception));
        Assert.True(TransientFaults.IsTransient(new InvalidOperationException("wrapped", exception)));
        Assert.False(MessageFaults.Is(exception));
    }

    [Theory, MemberData(nameof(OfMessages))]
    public void A_short_list_says_what_counts_against_a_message(Exception exception) => Assert.True(MessageFaults.Is(exception));

    [Theory, MemberData(nameof(OfNobody))]
    public void What_nobody_knows_is_neither_waited_for_by_a_shopper_nor_paid_by_a_message(Exception exception)
    {
        Assert.False(TransientFaults.IsTransient(exception));
        Assert.False(MessageFaults.Is(exception));
    }

    [Fact]
    public void A_problem_that_comes_from_a_dependency_counts_against_no_message() =>
        Assert.False(MessageFaults.Is(new ProblemException(CommonProblems.DependencyUnavailable)));

    [Theory]
    [InlineData(ErrorCode.UnknownTopicOrPart)]
    [InlineData(ErrorCode.Local_UnknownTopic)]
    [InlineData(ErrorCode.TopicAuthorizationFailed)]
    [InlineData(ErrorCode.NotEnoughReplicas)]
    public void What_a_topic_refuses_is_not_the_fault_of_a_message(ErrorCode code)
    {
        Assert.True(TopicFaults.Is(code));
        Assert.False(MessageFaults.Is(code));
    }
}
