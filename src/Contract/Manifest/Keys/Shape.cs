using System.Reflection;

namespace Groundcrew.Contract.Manifest;

/// <summary>One key of a record.</summary>
/// <param name="Name">As it stands in the manifest.</param>
/// <param name="Property">Where its value goes.</param>
/// <param name="Key">What is said about it.</param>
/// <param name="Form">How its value is read, written and described.</param>
/// <param name="Default">Its value when left out; null for none.</param>
internal sealed record ShapeKey(string Name, PropertyInfo Property, KeyAttribute Key, Form Form, object? Default)
{
    /// <summary>The words that a manifest may use for it.</summary>
    public IEnumerable<string> Words => Key.Alias is { } alias ? [Name, alias] : [Name];
}

/// <summary>The keys of a record, found by its properties once. Immutable and thread-safe.</summary>
internal sealed class Shape
{
    private readonly Type _type;

    private Shape(Type type)
    {
        _type = type;
        var defaults = Create();
        Keys =
        [
            .. from property in type.GetProperties()
               let key = property.GetCustomAttribute<KeyAttribute>()
               where key is not null
               select new ShapeKey(key.Name ?? CamelCase(property.Name), property, key, FormCatalog.For(property, key), key.Required ? null : property.GetValue(defaults)),
        ];
    }

    /// <summary>The manifest.</summary>
    public static Shape System { get; } = new(typeof(SystemManifest));

    /// <summary>Resources, which calls of the API carry alone.</summary>
    public static Shape Resources { get; } = new(typeof(ResourcesManifest));

    /// <summary>The record's name without <c>Manifest</c>: what the schema calls it.</summary>
    public string Name => _type.Name.Replace("Manifest", "", StringComparison.Ordinal);

    /// <summary>In the order of the record, which is the order of the reference page.</summary>
    public IReadOnlyList<ShapeKey> Keys { get; }

    public static Shape Of(Type type) => new(type);

    /// <summary>A record with its defaults; what is required is not there yet, so it is shown to nobody before it was judged.</summary>
    public object Create() =>
        Activator.CreateInstance(_type) ?? throw new InvalidOperationException($"{_type} has no constructor without parameters.");

    public ShapeKey? Find(string word) => Keys.FirstOrDefault(key => key.Words.Contains(word));

    private static string CamelCase(string name) => char.ToLowerInvariant(name[0]) + name[1..];
}
