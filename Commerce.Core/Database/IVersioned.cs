namespace Commerce.Core.Database;

/// <summary>An item that administrators read, change and write back. The version detects concurrent changes.</summary>
public interface IVersioned
{
    /// <summary>Incremented by every change.</summary>
    int Version { get; }
}
