using System.Collections;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Groundcrew.Bedrock;
using Xunit;

namespace Groundcrew.Shape.Tests;

/// <summary>Invariant 11: a secret appears in no log, view, error or audit entry, whatever record carries it.</summary>
public sealed class SecretTests
{
    private const string Marked = "marked-secret-5d1f";

    public sealed record Carrier(string Name, Secret? Token, IReadOnlyDictionary<string, Secret> ByName, IReadOnlyList<Secret> All, Carrier? Inner = null);

    [Fact]
    public void The_check_sees_a_record_that_shows_what_it_carries()
    {
        Assert.True(Carries(typeof(Carrier)));
        var built = Assert.IsType<Carrier>(Build(typeof(Carrier), 0));
        Assert.Equal(Marked, built.Token!.Reveal());
        Assert.NotEmpty(built.ByName);
        AssertHidden(built);
    }

    [Fact]
    public void No_public_record_shows_the_secret_it_carries()
    {
        var carriers = Tree.Rooms.SelectMany(r => r.Assembly.GetExportedTypes())
            .Where(t => !WordTests.IsGenerated(t) && !t.ContainsGenericParameters && IsRecord(t) && Carries(t)).ToList();
        Assert.All(carriers, type => AssertHidden(Build(type, 0)!));
    }

    private static void AssertHidden(object record)
    {
        Assert.DoesNotContain(Marked, record.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(Marked, JsonSerializer.Serialize(record, record.GetType(), Json.Options), StringComparison.Ordinal);
        Assert.DoesNotContain(Marked, new InvalidOperationException($"Cannot use {record}.").ToString(), StringComparison.Ordinal);
    }

    private static bool IsRecord(Type type) => type.GetMethod("<Clone>$") is not null;

    private static bool Carries(Type type) => type.GetProperties().Any(p => Holds(p.PropertyType));

    /// <summary>A function that gives a secret when it is asked holds none.</summary>
    private static bool Holds(Type type) =>
        type == typeof(Secret) || (type.IsArray && Holds(type.GetElementType()!))
        || (type.IsGenericType && !type.IsAssignableTo(typeof(Delegate)) && type.GetGenericArguments().Any(Holds));

    /// <summary>An instance with every secret in it marked, made through its longest constructor.</summary>
    private static object? Build(Type type, int depth)
    {
        if (type == typeof(Secret))
            return new Secret(Marked);
        if (type == typeof(string))
            return "text";
        if (type == typeof(Uri))
            return new Uri("http://localhost/");
        if (Nullable.GetUnderlyingType(type) is not null)
            return null;
        if (type.IsArray)
            return ListOf(type.GetElementType()!, depth);
        if (type.IsGenericType && typeof(IEnumerable).IsAssignableFrom(type))
            return Collection(type, depth);
        if (type.IsValueType || type.IsAbstract || depth > 4)
            return type.IsValueType ? RuntimeHelpers.GetUninitializedObject(type) : null;
        var constructor = type.GetConstructors().Where(c => c.GetParameters() is not [{ } only] || only.ParameterType != type)
            .MaxBy(c => c.GetParameters().Length);
        var made = constructor?.Invoke([.. constructor.GetParameters().Select(p => Build(p.ParameterType, depth + 1))])
            ?? RuntimeHelpers.GetUninitializedObject(type);
        foreach (var property in type.GetProperties().Where(p => p.SetMethod is not null && p.GetIndexParameters().Length == 0 && p.GetValue(made) is null))
            property.SetValue(made, Build(property.PropertyType, depth + 1));
        return made;
    }

    private static Array ListOf(Type element, int depth)
    {
        var list = Array.CreateInstance(element, 1);
        list.SetValue(Build(element, depth + 1), 0);
        return list;
    }

    private static object? Collection(Type type, int depth)
    {
        var arguments = type.GetGenericArguments();
        if (arguments is [var element] && type.IsAssignableFrom(element.MakeArrayType()))
            return ListOf(element, depth);
        var made = arguments.Length == 2 ? typeof(Dictionary<,>).MakeGenericType(arguments) : typeof(List<>).MakeGenericType(arguments);
        if (!type.IsAssignableFrom(made))
            return null;
        var collection = Activator.CreateInstance(made)!;
        if (collection is IDictionary map && Build(arguments[0], depth + 1) is { } key)
            map[key] = Build(arguments[1], depth + 1);
        else if (collection is IList list)
            list.Add(Build(arguments[0], depth + 1));
        return collection;
    }
}
