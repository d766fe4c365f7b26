namespace Commerce.ServiceDefaults;

/// <summary>The request for a development token.</summary>
/// <param name="User">The subject: 1 to 255 characters.</param>
/// <param name="Role">MEMBER or ADMIN.</param>
sealed record TokenRequest(string User, string Role);
