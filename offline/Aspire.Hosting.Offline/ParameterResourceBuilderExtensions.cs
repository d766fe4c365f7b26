using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Servers;

namespace Aspire.Hosting;

public static class ParameterResourceBuilderExtensions
{
    /// <summary>A value from the configuration key Parameters:name.</summary>
    public static IResourceBuilder<ParameterResource> AddParameter(this IDistributedApplicationBuilder builder, string name, bool secret = false) =>
        builder.AddParameter(name, $"Parameters:{name}", null, secret, persist: false);

    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder, string name, string value, bool publishValueAsDefault = false, bool secret = false) =>
        builder.AddParameter(name, () => value, publishValueAsDefault, secret);

    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder, string name, Func<string> valueGetter, bool publishValueAsDefault = false, bool secret = false) =>
        publishValueAsDefault && secret
            ? throw new ArgumentException("A parameter cannot be both secret and published as a default value.", nameof(secret))
            : builder.AddParameter(name, $"Parameters:{name}", new ConstantParameterDefault(valueGetter), secret, persist: false);

    /// <param name="builder">The application.</param>
    /// <param name="name">The resource's name.</param>
    /// <param name="value">Used where the configuration has no value.</param>
    /// <param name="secret">Hidden in the dashboard.</param>
    /// <param name="persist">Whether the default is kept in .data/secrets.json for the next run.</param>
    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder, string name, ParameterDefault value, bool secret = false, bool persist = false) =>
        builder.AddParameter(name, $"Parameters:{name}", value, secret, persist);

    public static IResourceBuilder<ParameterResource> AddParameterFromConfiguration(
        this IDistributedApplicationBuilder builder, string name, string configurationKey, bool secret = false) =>
        builder.AddParameter(name, configurationKey, null, secret, persist: false);

    /// <summary>A connection string from the configuration key ConnectionStrings:name.</summary>
    public static IResourceBuilder<IResourceWithConnectionString> AddConnectionString(
        this IDistributedApplicationBuilder builder, string name, string? environmentVariableName = null)
    {
        var parameter = new ParameterResource(
            name, _ => builder.Configuration[$"ConnectionStrings:{name}"] ?? throw new MissingParameterValueException(
                $"Connection string parameter resource could not be used because connection string '{name}' is missing."), secret: true);
        return builder.AddResource(new ConnectionStringResource(name, ReferenceExpression.Create($"{parameter}"), environmentVariableName));
    }

    /// <summary>A password that is not a resource: from Parameters:name, else generated once and kept.</summary>
    internal static ParameterResource CreatePassword(this IDistributedApplicationBuilder builder, string name) =>
        builder.CreateParameter(name, $"Parameters:{name}", new GenerateParameterDefault { Special = false }, secret: true, persist: true);

    static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder, string name, string key, ParameterDefault? value, bool secret, bool persist) =>
        builder.AddResource(builder.CreateParameter(name, key, value, secret, persist));

    static ParameterResource CreateParameter(
        this IDistributedApplicationBuilder builder, string name, string key, ParameterDefault? value, bool secret, bool persist) =>
        new(name, given => builder.Configuration[key] is { Length: > 0 } configured ? configured
            : given is null ? throw new MissingParameterValueException(
                $"Parameter resource could not be used because configuration key '{key}' is missing and the Parameter has no default value.")
            : persist ? DataFolder.Of(builder).Secret(key, given.GetDefaultValue) : given.GetDefaultValue(), secret)
        {
            Default = value,
        };
}
