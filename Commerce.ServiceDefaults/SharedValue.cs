namespace Commerce.ServiceDefaults;

/// <summary>
/// A value that is loaded at most once per <paramref name="maxAge"/> for any number of callers. Callers during a load share it.
/// Cancelling one caller does not cancel the shared load. A failed load is not cached.
/// </summary>
public sealed class SharedValue<T>(TimeSpan maxAge, TimeProvider clock)
{
    readonly Lock _lock = new();
    Task<T>? _value;
    long _loadedAt;

    /// <summary>Returns the value. It is at most <c>maxAge</c> old, measured from the start of its load.</summary>
    public Task<T> GetAsync(Func<Task<T>> load)
    {
        lock (_lock)
        {
            if (_value is { IsCompleted: false }) return _value;
            if (_value is { IsCompletedSuccessfully: true } && clock.GetElapsedTime(_loadedAt) < maxAge) return _value;
            _loadedAt = clock.GetTimestamp();
            // The load runs outside of the lock and of the first caller's context.
            return _value = Task.Run(load);
        }
    }

    /// <summary>Discards the value and any running load. Later callers get a new value.</summary>
    public void Forget()
    {
        lock (_lock) _value = null;
    }
}
