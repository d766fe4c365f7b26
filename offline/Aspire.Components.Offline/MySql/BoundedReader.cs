using System.Collections;
using System.Data.Common;
using System.Diagnostics;

namespace Aspire.MySqlConnector;

/// <summary>Rows of a command. The time limit is the command's: it counts from its start.</summary>
internal sealed class BoundedReader(DbDataReader driver, Session session, long started, TimeSpan limit, BoundedConnection? closeWithReader)
    : DbDataReader
{
    private bool _atEnd, _closed;

    public override int Depth => driver.Depth;

    public override int FieldCount => driver.FieldCount;

    public override bool HasRows => driver.HasRows;

    public override bool IsClosed => _closed;

    public override int RecordsAffected => driver.RecordsAffected;

    public override object this[int ordinal] => driver[ordinal];

    public override object this[string name] => driver[name];

    public override async Task<bool> ReadAsync(CancellationToken cancellationToken) =>
        !(_atEnd = !await InTime(driver.ReadAsync(CancellationToken.None), cancellationToken));

    public override async Task<bool> NextResultAsync(CancellationToken cancellationToken) =>
        !(_atEnd = !await InTime(driver.NextResultAsync(CancellationToken.None), cancellationToken));

    public override bool Read() => throw Unsupported.SynchronousCall();

    public override bool NextResult() => throw Unsupported.SynchronousCall();

    public override async Task CloseAsync()
    {
        while (!_closed && session.IsUsable && await NextResultAsync(CancellationToken.None)) { }
        Close();
    }

    public override void Close()
    {
        if (_closed)
            return;
        _closed = true;
        if (_atEnd && session.IsUsable)
            driver.Close();
        else
            session.MarkBroken(); // what is left unread would be waited for without a limit
        closeWithReader?.Close();
    }

    public override async ValueTask DisposeAsync()
    {
        await CloseAsync();
        await base.DisposeAsync();
    }

    public override bool GetBoolean(int ordinal) => driver.GetBoolean(ordinal);

    public override byte GetByte(int ordinal) => driver.GetByte(ordinal);

    public override long GetBytes(int ordinal, long dataOffset, byte[]? buffer, int bufferOffset, int length) =>
        driver.GetBytes(ordinal, dataOffset, buffer, bufferOffset, length);

    public override char GetChar(int ordinal) => driver.GetChar(ordinal);

    public override long GetChars(int ordinal, long dataOffset, char[]? buffer, int bufferOffset, int length) =>
        driver.GetChars(ordinal, dataOffset, buffer, bufferOffset, length);

    public override string GetDataTypeName(int ordinal) => driver.GetDataTypeName(ordinal);

    public override DateTime GetDateTime(int ordinal) => driver.GetDateTime(ordinal);

    public override decimal GetDecimal(int ordinal) => driver.GetDecimal(ordinal);

    public override double GetDouble(int ordinal) => driver.GetDouble(ordinal);

    public override IEnumerator GetEnumerator() => throw Unsupported.SynchronousCall();

    public override Type GetFieldType(int ordinal) => driver.GetFieldType(ordinal);

    public override T GetFieldValue<T>(int ordinal) => driver.GetFieldValue<T>(ordinal);

    public override float GetFloat(int ordinal) => driver.GetFloat(ordinal);

    public override Guid GetGuid(int ordinal) => driver.GetGuid(ordinal);

    public override short GetInt16(int ordinal) => driver.GetInt16(ordinal);

    public override int GetInt32(int ordinal) => driver.GetInt32(ordinal);

    public override long GetInt64(int ordinal) => driver.GetInt64(ordinal);

    public override string GetName(int ordinal) => driver.GetName(ordinal);

    public override int GetOrdinal(string name) => driver.GetOrdinal(name);

    public override string GetString(int ordinal) => driver.GetString(ordinal);

    public override object GetValue(int ordinal) => driver.GetValue(ordinal);

    public override int GetValues(object[] values) => driver.GetValues(values);

    public override bool IsDBNull(int ordinal) => driver.IsDBNull(ordinal);

    private Task<bool> InTime(Task<bool> call, CancellationToken token)
    {
        if (call.IsCompletedSuccessfully)
            return call;
        var left = limit == Timeout.InfiniteTimeSpan ? limit : limit - Stopwatch.GetElapsedTime(started);
        return session.Within(call, left > TimeSpan.Zero || limit == Timeout.InfiniteTimeSpan ? left : TimeSpan.Zero, token);
    }
}
