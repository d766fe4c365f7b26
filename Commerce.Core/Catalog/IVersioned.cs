using Commerce.ServiceDefaults;

namespace Commerce.Core.Catalog;

/// <summary>What administrators read, change and give back: with the version that they read, nobody's change is lost under another's.</summary>
public interface IVersioned
{
    /// <summary>Raised by every change.</summary>
    int Version { get; }
}

/// <summary>Which versions a change is meant for.</summary>
public static class Versions
{
    /// <summary>The definition was changed since it was read.</summary>
    public static readonly ProblemType Stale = new(
        412, "stale-version", "It was changed since you read it. Read it again and repeat your change.");

    /// <summary>Refuses a change that is meant for other versions than this one; null: it is meant for any.</summary>
    /// <exception cref="ProblemException">It is.</exception>
    public static void Check(IVersioned found, IReadOnlyCollection<int>? wanted)
    {
        if (wanted?.Contains(found.Version) == false) throw new ProblemException(Stale, $"The current version is {found.Version}.");
    }

    /// <summary>The row, where it has one of these versions; null: whichever it has.</summary>
    internal static IQueryable<T> At<T>(this IQueryable<T> rows, long id, IReadOnlyCollection<int>? wanted) where T : DefinitionRow =>
        wanted is null ? rows.Where(row => row.Id == id) : rows.Where(row => row.Id == id && wanted.Contains(row.Version));
}
