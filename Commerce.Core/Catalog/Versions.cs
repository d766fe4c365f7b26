using Commerce.Core.Database;

namespace Commerce.Core.Catalog;

/// <summary>The versions that a change accepts.</summary>
public static class Versions
{
    /// <summary>The item was changed after it was read.</summary>
    public static readonly ProblemType Stale = new(
        412, "stale-version", "It was changed since you read it. Read it again and repeat your change.");

    /// <summary>Rejects a change that does not accept the current version. Null accepts any.</summary>
    /// <exception cref="ProblemException">The version does not match.</exception>
    public static void Check(IVersioned found, IReadOnlyCollection<int>? wanted)
    {
        if (wanted?.Contains(found.Version) == false) throw new ProblemException(Stale, $"The current version is {found.Version}.");
    }

    /// <summary>The row, if it has one of the versions. Null accepts any.</summary>
    internal static IQueryable<T> At<T>(this IQueryable<T> rows, long id, IReadOnlyCollection<int>? wanted) where T : DefinitionRow =>
        wanted is null ? rows.Where(row => row.Id == id) : rows.Where(row => row.Id == id && wanted.Contains(row.Version));
}
