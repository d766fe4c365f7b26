using System.Data.Common;
using System.Text.Json;
using Confluent.Kafka;

namespace Commerce.ServiceDefaults;

/// <summary>
/// The failures that a message causes: it cannot be read, is too large, or breaks a business rule or a constraint. Any other failure
/// is caused by the infrastructure, and the message waits.
/// </summary>
public static class MessageFaults
{
    /// <summary>Whether <paramref name="exception"/> means that this message will always fail.</summary>
    public static bool Is(Exception exception)
    {
        for (var e = exception; e is not null; e = e.InnerException)
        {
            if (e is JsonException or FormatException or ArithmeticException or ProblemException { ProblemType.Status: < 500 }) return true;
            if (e is DbException db && MySqlErrors.IsOfData(db)) return true;
            if (e is KafkaException kafka && Is(kafka.Error.Code)) return true;
        }

        return false;
    }

    /// <summary>Whether the brokers or the client reject the message itself.</summary>
    public static bool Is(ErrorCode code) => code is ErrorCode.MsgSizeTooLarge or ErrorCode.RecordListTooLarge or ErrorCode.InvalidMsg or ErrorCode.InvalidMsgSize
        or ErrorCode.InvalidRecord or ErrorCode.InvalidTimestamp or ErrorCode.Local_BadMsg or ErrorCode.Local_InvalidArg;
}
