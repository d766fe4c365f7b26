namespace Commerce.ServiceDefaults;

/// <summary>The values of the role claim.</summary>
public static class Roles
{
    public const string Member = "MEMBER";
    public const string Admin = "ADMIN";
}
