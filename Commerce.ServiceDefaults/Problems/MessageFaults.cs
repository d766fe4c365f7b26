using System.Data.Common;
using System.Text.Json;
using Confluent.Kafka;

namespace Commerce.ServiceDefaults;

/// <summary>
/// The short list of what counts against a message: it cannot be read, is too large, or is refused by a business rule or a constraint. Everything else is
/// the infrastructure's, known or not: the message waits.
/// </summary>
public static class MessageFaults
{
    /// <summary>Whether <paramref name="exception"/> says that this message will fail the next time as well.</summary>
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

    /// <summary>Whether the brokers, or the client in front of them, refuse the message itself.</summary>
    public static bool Is(ErrorCode code) => code is ErrorCode.MsgSizeTooLarge or ErrorCode.RecordListTooLarge or ErrorCode.InvalidMsg or ErrorCode.InvalidMsgSize
        or ErrorCode.InvalidRecord or ErrorCode.InvalidTimestamp or ErrorCode.Local_BadMsg or ErrorCode.Local_InvalidArg;
}
