namespace Commerce.Tests.Faults;

/// <summary>A clock that is wrong by so much.</summary>
sealed class WrongClock(TimeSpan by) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
}
