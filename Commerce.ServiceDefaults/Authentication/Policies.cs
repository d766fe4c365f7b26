namespace Commerce.ServiceDefaults;

/// <summary>The names of the authorization policies.</summary>
public static class Policies
{
    /// <summary>A signed-in customer or administrator with a usable subject.</summary>
    public const string Member = nameof(Member);

    /// <summary>An administrator with a usable subject.</summary>
    public const string Admin = nameof(Admin);
}
