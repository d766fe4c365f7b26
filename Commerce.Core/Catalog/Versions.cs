using Commerce.Core.Database;

namespace Commerce.Core.Catalog;

/// <summary>Optimistic concurrency: a change names the versions that it accepts.</summary>
public static class Versions
{
    /// <summary>The item was changed after the client read it.</summary>
    public static readonly ProblemType Stale = new(
        412, "stale-version", "It was changed since you read it. Read it again and repeat your change.");

    /// <summary>Throws if the current version is not among the accepted ones. Null accepts any.</summary>
    /// <exception cref="ProblemException">The version is not an accepted one.</exception>
    public static void Check(IVersioned found, IReadOnlyCollection<int>? wanted)
    {
        if (wanted?.Contains(found.Version) == false) throw new ProblemException(Stale, $"The current version is {found.Version}.");
    }

    /// <summary>Selects the row if it has an accepted version. Null accepts any.</summary>
    internal static IQueryable<T> At<T>(this IQueryable<T> rows, long id, IReadOnlyCollection<int>? wanted) where T : DefinitionRow =>
        wanted is null ? rows.Where(row => row.Id == id) : rows.Where(row => row.Id == id && wanted.Contains(row.Version));
}
