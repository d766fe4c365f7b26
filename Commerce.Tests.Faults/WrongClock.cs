namespace Commerce.Tests.Faults;

/// <summary>A clock with a constant error.</summary>
sealed class WrongClock(TimeSpan by) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
}
