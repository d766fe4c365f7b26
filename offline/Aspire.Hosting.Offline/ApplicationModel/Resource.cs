using System.Collections.ObjectModel;
using System.Text.RegularExpressions;

namespace Aspire.Hosting.ApplicationModel;

public abstract partial class Resource : IResource
{
    protected Resource(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (name.Length > 64 || !ValidName().IsMatch(name))
        {
            throw new ArgumentException(
                $"Resource name '{name}' is invalid: at most 64 ASCII letters, digits and single hyphens, beginning with a letter.", nameof(name));
        }

        Name = name;
    }

    public virtual string Name { get; }
    public virtual ResourceAnnotationCollection Annotations { get; } = [];

    [GeneratedRegex("^[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*$")]
    private static partial Regex ValidName();
}

public sealed class ResourceAnnotationCollection : Collection<IResourceAnnotation>;

public interface IResourceAnnotation;

public enum ResourceAnnotationMutationBehavior
{
    Append,
    Replace,
}
