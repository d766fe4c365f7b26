using System.Text.Json;

namespace KafkaBroker;

/// <summary>The topics of the application and the number of their partitions.</summary>
internal static class TopicList
{
    /// <summary>Reads a JSON object whose names are topics and whose values are partition counts.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="JsonException">It is not JSON.</exception>
    /// <exception cref="InvalidOperationException">A value is not a number.</exception>
    public static IReadOnlyDictionary<string, int> Read(string file)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(file));
        return document.RootElement.EnumerateObject().ToDictionary(topic => topic.Name, topic => topic.Value.GetInt32());
    }
}
