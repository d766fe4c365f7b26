namespace Commerce.ServiceDefaults;

/// <summary>Marks endpoints whose requests would only flood the traces.</summary>
sealed class UntracedMetadata
{
    public static readonly UntracedMetadata Instance = new();

    UntracedMetadata()
    {
    }
}
