namespace Commerce.Core.Database;

/// <summary>An item that administrators read, change and write back. Its version protects one change from another.</summary>
public interface IVersioned
{
    /// <summary>Incremented by every change.</summary>
    int Version { get; }
}
