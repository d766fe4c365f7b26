using System.Data;
using Dapper;

namespace Commerce.Core.Database;

/// <summary>Marks times as UTC: the driver returns DATETIME values without a kind.</summary>
sealed class UtcDateTimeHandler : SqlMapper.TypeHandler<DateTime>
{
    public override void SetValue(IDbDataParameter parameter, DateTime value) => parameter.Value = value.ToUniversalTime();

    public override DateTime Parse(object value) => DateTime.SpecifyKind((DateTime)value, DateTimeKind.Utc);
}
