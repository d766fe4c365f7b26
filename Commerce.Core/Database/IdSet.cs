using System.Data;
using System.Globalization;
using Dapper;

namespace Commerce.Core.Database;

/// <summary>A column with a JSON array of ids.</summary>
static class IdSet
{
    public static string ToJson(IEnumerable<long> ids) => $"[{string.Join(',', ids.Select(id => id.ToString(CultureInfo.InvariantCulture)))}]";

    public static HashSet<long> Parse(string json) =>
        [.. json.Trim('[', ']').Split(',', StringSplitOptions.RemoveEmptyEntries).Select(id => long.Parse(id, CultureInfo.InvariantCulture))];
}

/// <summary>Reads such a column.</summary>
sealed class IdSetHandler : SqlMapper.TypeHandler<HashSet<long>>
{
    public override void SetValue(IDbDataParameter parameter, HashSet<long>? value) => parameter.Value = value is null ? DBNull.Value : IdSet.ToJson(value);

    public override HashSet<long> Parse(object value) => IdSet.Parse((string)value);
}
