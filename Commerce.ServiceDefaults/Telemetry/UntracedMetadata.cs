namespace Commerce.ServiceDefaults;

/// <summary>Marks endpoints whose requests would flood the traces.</summary>
sealed class UntracedMetadata;
