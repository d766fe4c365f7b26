namespace Commerce.ServiceDefaults;

/// <summary>Asks for a development token.</summary>
/// <param name="User">The subject: 1 to 64 characters of <c>A-Z a-z 0-9 _ . : @ | -</c>.</param>
/// <param name="Role">MEMBER or ADMIN.</param>
sealed record TokenRequest(string User, string Role);
