using System.Data;
using Dapper;

namespace Commerce.Core.Database;

/// <summary>DATETIME columns hold UTC; the drivers hand them out without saying so.</summary>
sealed class UtcDateTimeHandler : SqlMapper.TypeHandler<DateTime>
{
    public override void SetValue(IDbDataParameter parameter, DateTime value) => parameter.Value = value.ToUniversalTime();

    public override DateTime Parse(object value) => DateTime.SpecifyKind((DateTime)value, DateTimeKind.Utc);
}
