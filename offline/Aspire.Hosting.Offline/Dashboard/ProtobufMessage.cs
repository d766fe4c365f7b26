using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Aspire.Hosting.Dashboard;

/// <summary>Writes one protobuf message, field by field. Default values are left out, as proto3 does.</summary>
internal sealed class ProtobufMessage
{
    readonly ArrayBufferWriter<byte> _to = new();

    public byte[] ToArray() => _to.WrittenSpan.ToArray();

    public ProtobufMessage Text(int field, string? value) =>
        string.IsNullOrEmpty(value) ? this : Bytes(field, Encoding.UTF8.GetBytes(value));

    public ProtobufMessage Flag(int field, bool value) => value ? Present(field, 1) : this;

    public ProtobufMessage Number(int field, long value) => value == 0 ? this : Present(field, value);

    /// <summary>For an optional number, where 0 is a value too.</summary>
    public ProtobufMessage Present(int field, long? value)
    {
        if (value is { } number)
        {
            Varint((ulong)field << 3);
            Varint((ulong)number);
        }

        return this;
    }

    public ProtobufMessage Double(int field, double value)
    {
        Varint(((ulong)field << 3) | 1);
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(bytes, value);
        _to.Write(bytes);
        return this;
    }

    public ProtobufMessage Sub(int field, ProtobufMessage? value) => value is null ? this : Bytes(field, value.ToArray());

    public ProtobufMessage Subs(int field, IEnumerable<ProtobufMessage> values)
    {
        foreach (var value in values)
            Sub(field, value);

        return this;
    }

    /// <summary>A google.protobuf.Timestamp.</summary>
    public ProtobufMessage Time(int field, DateTime? value) => value is { } time
        ? Sub(field, new ProtobufMessage().Number(1, new DateTimeOffset(time).ToUnixTimeSeconds()).Number(2, time.Ticks % TimeSpan.TicksPerSecond * 100)) : this;

    /// <summary>A google.protobuf.Value.</summary>
    public static ProtobufMessage Value(object? value) => value switch
    {
        null => new ProtobufMessage().Present(1, 0),
        int number => new ProtobufMessage().Double(2, number),
        IEnumerable<string> list => new ProtobufMessage().Sub(6, new ProtobufMessage().Subs(1, list.Select(Value))),
        string { Length: > 0 } text => new ProtobufMessage().Text(3, text),
        _ => new ProtobufMessage().Bytes(3, Encoding.UTF8.GetBytes($"{value}")),
    };

    /// <summary>Reads texts and numbers by field number; the last one wins. Enough for requests.</summary>
    public static (Dictionary<int, string> Texts, Dictionary<int, ulong> Numbers) Read(ReadOnlySpan<byte> data)
    {
        var texts = new Dictionary<int, string>();
        var numbers = new Dictionary<int, ulong>();
        for (var at = 0; at < data.Length;)
        {
            var tag = Take(data, ref at);
            var field = (int)(tag >> 3);
            switch (tag & 7)
            {
                case 0:
                    numbers[field] = Take(data, ref at);
                    break;
                case 1:
                    at += 8;
                    break;
                case 2:
                    var length = (int)Take(data, ref at);
                    texts[field] = Encoding.UTF8.GetString(data.Slice(at, length));
                    at += length;
                    break;
                case 5:
                    at += 4;
                    break;
                default:
                    throw new InvalidDataException("Unknown protobuf wire type.");
            }
        }

        return (texts, numbers);
    }

    static ulong Take(ReadOnlySpan<byte> data, ref int at)
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var part = data[at++];
            value |= (ulong)(part & 127) << shift;
            if (part < 128) return value;
        }
    }

    ProtobufMessage Bytes(int field, byte[] value)
    {
        Varint(((ulong)field << 3) | 2);
        Varint((ulong)value.Length);
        _to.Write(value);
        return this;
    }

    void Varint(ulong value)
    {
        for (; value > 127; value >>= 7)
            _to.Write([(byte)(value | 128)]);

        _to.Write([(byte)value]);
    }
}
