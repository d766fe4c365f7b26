namespace Commerce.ServiceDefaults;

/// <summary>The endpoint of a health check.</summary>
static class HealthTags
{
    /// <summary><c>/alive</c>: a failure means that the process must be restarted.</summary>
    public const string Live = "live";

    /// <summary><c>/health</c>: a failure means that the process must not receive work.</summary>
    public const string Ready = "ready";

    /// <summary><c>/health/dependencies</c>: the state of a dependency.</summary>
    public const string Dependency = "dependency";
}
