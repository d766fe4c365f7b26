namespace Commerce.ServiceDefaults;

/// <summary>The roles of this application. <c>Authentication:Roles</c> maps the claims of a token to them.</summary>
public static class Roles
{
    public const string Member = "MEMBER";
    public const string Admin = "ADMIN";
}
