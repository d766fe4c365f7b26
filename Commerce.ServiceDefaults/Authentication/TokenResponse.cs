namespace Commerce.ServiceDefaults;

/// <summary>A development token.</summary>
/// <param name="AccessToken">The JWT.</param>
/// <param name="TokenType">Always <c>Bearer</c>.</param>
/// <param name="ExpiresIn">The lifetime in seconds.</param>
sealed record TokenResponse(string AccessToken, string TokenType, int ExpiresIn);
