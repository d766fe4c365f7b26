using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>Text with holes that are filled when the consumer starts.</summary>
public class ReferenceExpression : IExpressionValue, IValueWithReferences
{
    public static readonly ReferenceExpression Empty = new("", [], []);

    internal ReferenceExpression(string format, IReadOnlyList<IValueProvider> providers, IReadOnlyList<string?> stringFormats) =>
        (Format, ValueProviders, StringFormats) = (format, providers, stringFormats);

    /// <summary>A composite format: {0} is the first value.</summary>
    public string Format { get; }
    public IReadOnlyList<IValueProvider> ValueProviders { get; }
    /// <summary>"uri" for values that are escaped, one entry per value.</summary>
    public IReadOnlyList<string?> StringFormats { get; }

    public IReadOnlyList<string> ManifestExpressions => [.. ValueProviders.Select(p => ((IManifestExpressionProvider)p).ValueExpression)];

    public string ValueExpression => string.Format(CultureInfo.InvariantCulture, Format, [.. ManifestExpressions]);

    IEnumerable<object> IValueWithReferences.References => ValueProviders;

    public static ReferenceExpression Create(in ExpressionInterpolatedStringHandler handler) => handler.Builder.Build();

    /// <returns>Null where a value is missing.</returns>
    public async ValueTask<string?> GetValueAsync(CancellationToken cancellationToken)
    {
        var values = new object?[ValueProviders.Count];
        for (var i = 0; i < values.Length; i++)
        {
            if (await ValueProviders[i].GetValueAsync(cancellationToken) is not { } value) return null;

            values[i] = StringFormats[i] switch
            {
                null => value,
                "uri" => Uri.EscapeDataString(value),
                var other => throw new NotSupportedException($"The format '{other}' is not known; only 'uri' is."),
            };
        }

        return string.Format(CultureInfo.InvariantCulture, Format, values);
    }

    [InterpolatedStringHandler]
    public readonly ref struct ExpressionInterpolatedStringHandler(int literalLength, int formattedCount)
    {
        internal ReferenceExpressionBuilder Builder { get; } = new(literalLength + (formattedCount * 4));

        public void AppendLiteral(string value) => Builder.AppendLiteral(value);

        public void AppendFormatted(string? value, string? format = null) => Builder.AppendFormatted(value, format);

        public void AppendFormatted<T>(T valueProvider, string? format = null) where T : IValueProvider, IManifestExpressionProvider =>
            Builder.AppendFormatted(valueProvider, format);

        public void AppendFormatted<T>(IResourceBuilder<T> valueProvider, string? format = null)
            where T : IResource, IValueProvider, IManifestExpressionProvider => Builder.AppendFormatted(valueProvider.Resource, format);
    }
}

/// <summary>Makes a <see cref="ReferenceExpression"/> in steps.</summary>
public class ReferenceExpressionBuilder
{
    readonly StringBuilder _format;
    readonly List<IValueProvider> _providers = [];
    readonly List<string?> _stringFormats = [];

    public ReferenceExpressionBuilder() : this(0)
    {
    }

    internal ReferenceExpressionBuilder(int capacity) => _format = new(capacity);

    public bool IsEmpty => _format.Length == 0;

    public void Append([InterpolatedStringHandlerArgument("")] in ReferenceExpressionBuilderInterpolatedStringHandler handler)
    {
        if (!ReferenceEquals(handler.Builder, this)) throw new ArgumentException("The text was made for another builder.", nameof(handler));
    }

    public void AppendLiteral(string value) =>
        _format.Append(value.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal));

    public void AppendFormatted(string? value, string? format = null) =>
        AppendLiteral(format == "uri" ? Uri.EscapeDataString(value ?? "") : value ?? "");

    public void AppendFormatted<T>(T valueProvider, string? format = null) where T : IValueProvider, IManifestExpressionProvider
    {
        _format.Append(CultureInfo.InvariantCulture, $"{{{_providers.Count}}}");
        _providers.Add(valueProvider);
        _stringFormats.Add(format);
    }

    public ReferenceExpression Build() => new(_format.ToString(), [.. _providers], [.. _stringFormats]);

    [InterpolatedStringHandler]
    public readonly ref struct ReferenceExpressionBuilderInterpolatedStringHandler
    {
        public ReferenceExpressionBuilderInterpolatedStringHandler(int literalLength, int formattedCount, ReferenceExpressionBuilder builder)
        {
            builder._format.EnsureCapacity(builder._format.Length + literalLength + (formattedCount * 4));
            Builder = builder;
        }

        internal ReferenceExpressionBuilder Builder { get; }

        public void AppendLiteral(string value) => Builder.AppendLiteral(value);

        public void AppendFormatted(string? value, string? format = null) => Builder.AppendFormatted(value, format);

        public void AppendFormatted<T>(T valueProvider, string? format = null) where T : IValueProvider, IManifestExpressionProvider =>
            Builder.AppendFormatted(valueProvider, format);

        public void AppendFormatted<T>(IResourceBuilder<T> valueProvider, string? format = null)
            where T : IResource, IValueProvider, IManifestExpressionProvider => Builder.AppendFormatted(valueProvider.Resource, format);
    }
}
