namespace Commerce.ServiceDefaults;

/// <summary>Which endpoint a check belongs to.</summary>
static class HealthTags
{
    /// <summary>Where it fails the process is to be restarted: <c>/alive</c>.</summary>
    public const string Live = "live";

    /// <summary>Where it fails the process is to be given no work: <c>/health</c>.</summary>
    public const string Ready = "ready";

    /// <summary>What the process needs from elsewhere: <c>/health/dependencies</c>.</summary>
    public const string Dependency = "dependency";
}
