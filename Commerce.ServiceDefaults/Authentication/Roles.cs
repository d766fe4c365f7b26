namespace Commerce.ServiceDefaults;

/// <summary>Our roles. Which claim and which values of a token stand for them is configured, see <c>Authentication:Roles</c>.</summary>
public static class Roles
{
    public const string Member = "MEMBER";
    public const string Admin = "ADMIN";
}
