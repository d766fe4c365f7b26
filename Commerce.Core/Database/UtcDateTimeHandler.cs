using System.Data;
using Dapper;

namespace Commerce.Core.Database;

/// <summary>DATETIME columns hold UTC; the driver returns them without a kind.</summary>
sealed class UtcDateTimeHandler : SqlMapper.TypeHandler<DateTime>
{
    public override void SetValue(IDbDataParameter parameter, DateTime value) => parameter.Value = value.ToUniversalTime();

    public override DateTime Parse(object value) => DateTime.SpecifyKind((DateTime)value, DateTimeKind.Utc);
}
