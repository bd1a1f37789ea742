using System.Collections;
using System.Collections.Frozen;
using System.Reflection;
using Groundcrew.Bedrock;
using Xunit;

namespace Groundcrew.Shape.Tests;

/// <summary>No ambient singletons: what changes belongs to an object that someone made and hands on.</summary>
public sealed class StaticStateTests
{
    [Fact]
    public void No_static_field_can_be_assigned() =>
        Expect.Nothing("Static state; what changes belongs to an object that someone made and hands on:", Names(Fields().Where(f => !f.IsLiteral && !f.IsInitOnly)));

    [Fact]
    public void No_static_field_holds_what_can_change() =>
        Expect.Nothing("A static field holds what can change; freeze it, or waive it with its reason:", Names(Fields().Where(f => f.IsInitOnly && CanChange(f.FieldType))));

    [Fact]
    public void Every_waiver_for_static_state_is_needed() =>
        Expect.Nothing("Waivers that are not needed any more:", Waivers.StaticState.Select(w => w.Field)
            .Except(Fields().Where(f => !f.IsLiteral && (!f.IsInitOnly || CanChange(f.FieldType))).Select(Name)));

    [Theory]
    [InlineData(typeof(List<string>), true)]
    [InlineData(typeof(Dictionary<string, int>), true)]
    [InlineData(typeof(System.Collections.Concurrent.ConcurrentDictionary<string, int>), true)]
    [InlineData(typeof(MetricRegistry), true)]
    [InlineData(typeof(FrozenDictionary<string, int>), false)]
    [InlineData(typeof(string[]), false)]
    [InlineData(typeof(string), false)]
    [InlineData(typeof(TimeSpan), false)]
    public void A_type_that_can_change_is_known(Type type, bool expected) => Assert.Equal(expected, CanChange(type));

    /// <summary>Arrays are how tables of constants are written, so they pass; sets and maps have frozen forms.</summary>
    private static bool CanChange(Type type)
    {
        if (type.IsArray || type.IsValueType || type == typeof(string))
            return false;
        if (type == typeof(MetricRegistry) || type == typeof(Metric) || type == typeof(Nudge) || type == typeof(SemaphoreSlim) || type == typeof(Lock) || type == typeof(HttpClient))
            return true;
        var isFrozen = type.Namespace is "System.Collections.Frozen" or "System.Collections.Immutable";
        return !isFrozen && (Implements(type, typeof(ICollection<>)) || typeof(IList).IsAssignableFrom(type) || typeof(IDictionary).IsAssignableFrom(type));
    }

    private static bool Implements(Type type, Type open) =>
        (type.IsGenericType && type.GetGenericTypeDefinition() == open)
        || type.GetInterfaces().Any(i => i.IsGenericType && i.GetGenericTypeDefinition() == open);

    private static IEnumerable<FieldInfo> Fields() =>
        from room in Tree.Rooms
        from type in room.Assembly.GetTypes()
        where !WordTests.IsGenerated(type)
        from field in type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
        where !field.Name.StartsWith("<>", StringComparison.Ordinal)
        select field;

    private static string Name(FieldInfo field) => $"{field.DeclaringType!.FullName}.{field.Name}";

    private static IEnumerable<string> Names(IEnumerable<FieldInfo> fields) =>
        fields.Select(Name).Except(Waivers.StaticState.Select(w => w.Field));
}
