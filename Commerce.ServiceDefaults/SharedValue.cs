namespace Commerce.ServiceDefaults;

/// <summary>
/// A value that is loaded at most once in <paramref name="maxAge"/>, however many ask for it: whoever comes while it is being loaded waits for the same
/// load, and nobody who goes away takes it from the others. A load that failed is not kept; the next caller loads again.
/// </summary>
public sealed class SharedValue<T>(TimeSpan maxAge, TimeProvider clock)
{
    readonly Lock _lock = new();
    Task<T>? _value;
    long _loadedAt;

    /// <summary>The value as it was at most <c>maxAge</c> ago, measured from the start of its load.</summary>
    public Task<T> GetAsync(Func<Task<T>> load)
    {
        lock (_lock)
        {
            if (_value is { IsCompleted: false }) return _value;
            if (_value is { IsCompletedSuccessfully: true } && clock.GetElapsedTime(_loadedAt) < maxAge) return _value;
            _loadedAt = clock.GetTimestamp();
            // Not under the lock, nor on the context of who comes first.
            return _value = Task.Run(load);
        }
    }

    /// <summary>What was loaded, or is being loaded, is out of date: who comes from now on gets a new one.</summary>
    public void Forget()
    {
        lock (_lock) _value = null;
    }
}
