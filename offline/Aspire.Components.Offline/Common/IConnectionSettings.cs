namespace Aspire;

/// <summary>Settings that can take their connection string from ConnectionStrings:NAME.</summary>
internal interface IConnectionSettings
{
    string? ConnectionString { get; set; }
}
