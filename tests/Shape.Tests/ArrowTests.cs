using System.Text.RegularExpressions;
using Xunit;

namespace Groundcrew.Shape.Tests;

/// <summary>Which room may use which. A new arrow is an edit of this table, which a reviewer sees.</summary>
public sealed partial class ArrowTests
{
    /// <summary>Bedrock is allowed to every room but ServiceKit, and is not written here; "*" is every room.</summary>
    private static readonly (int Level, string Room, string[] MayUse)[] Table =
    [
        (0, "Bedrock", []),
        (1, "Journal", []),
        (1, "Contract", []),
        (1, "Edge", []),
        (1, "Metrics", []),
        (1, "Logs", []),
        (1, "ServiceKit", []),
        (2, "Fleet", ["Journal"]),
        (2, "Calendar", ["Journal"]),
        (2, "Incidents", ["Journal"]),
        (2, "Compliance", ["Journal"]),
        (2, "PromQL", ["Metrics"]),
        (2, "Console", ["Contract"]),
        (2, "Cli", ["Contract"]),
        (3, "Deploys", ["Fleet", "Edge", "Journal"]),
        (3, "Postgres", ["Fleet", "Journal"]),
        (3, "Alerting", ["PromQL", "Metrics", "Journal"]),
        (4, "Daemon", ["*"]),
    ];

    [Fact]
    public void Every_room_stands_in_the_table() =>
        Expect.Nothing("A room is not in the table of allowed arrows (tests/Shape.Tests/ArrowTests.cs):", Tree.Rooms.Select(r => r.Name).Except(Table.Select(r => r.Room)));

    [Fact]
    public void Every_arrow_points_to_a_lower_level()
    {
        var level = Table.ToDictionary(r => r.Room, r => r.Level);
        Assert.All(Table, row => Assert.All(row.MayUse.Where(r => r != "*"), used =>
            Assert.True(level[used] < row.Level, $"{row.Room} (level {row.Level}) → {used} (level {level[used]})")));
    }

    [Fact]
    public void Projects_reference_only_what_the_table_allows() => AssertAllowed(ProjectArrows());

    [Fact]
    public void Built_rooms_use_only_what_the_table_allows() => AssertAllowed(AssemblyArrows());

    [Fact]
    public void The_longest_chain_of_rooms_is_five_at_most()
    {
        var arrows = ProjectArrows().ToLookup(a => a.From, a => a.To);
        var longest = Tree.Rooms.Select(r => Longest(r.Name, arrows, [])).MaxBy(c => c.Count)!;
        Console.WriteLine($"aim: longest chain of rooms: {string.Join(" → ", longest)}");
        Assert.True(longest.Count <= 5, string.Join(" → ", longest));
    }

    [Fact]
    public void Code_that_runs_on_a_node_never_touches_the_journal()
    {
        var touching =
            from file in Tree.Files(".cs", "src")
            where file.Path.Contains("/OnNode/", StringComparison.Ordinal) || OnNode().IsMatch(file.Text)
            where CodeText.Names(file.Text, "Journal")
            select file.Path;
        var everywhere =
            from file in Tree.Files(".cs", "src").Concat(Tree.Files(".csproj", "src"))
            where GlobalUse().IsMatch(file.Text)
            select $"{file.Path} (a global using reaches the node's code too)";
        Expect.Nothing("Code in OnNode uses the Journal; a node has none. Report to the control plane instead:", touching.Concat(everywhere));
    }

    private static void AssertAllowed(IEnumerable<(string From, string To)> arrows)
    {
        var allowed = Table.ToDictionary(r => r.Room, r => r.MayUse);
        Expect.Nothing("Not in the table of allowed arrows; ask with a one-method interface, or send a signal:",
            from arrow in arrows
            let may = allowed.GetValueOrDefault(arrow.From) ?? []
            let bedrock = arrow.To == "Bedrock" && arrow.From != "ServiceKit"
            where arrow.To == "Daemon" || !(bedrock || may.Contains("*") || may.Contains(arrow.To))
            select $"{arrow.From} → {arrow.To} is not allowed");
    }

    private static IEnumerable<(string From, string To)> ProjectArrows() =>
        from room in Tree.Rooms
        from project in Directory.EnumerateFiles(room.Folder, "*.csproj")
        from Match reference in ProjectReference().Matches(File.ReadAllText(project))
        select (room.Name, Path.GetFileNameWithoutExtension(reference.Groups[1].Value.Replace('\\', '/')));

    private static IEnumerable<(string From, string To)> AssemblyArrows() =>
        from room in Tree.Rooms
        from used in room.Assembly.GetReferencedAssemblies()
        from other in Tree.Rooms
        where other.Assembly.GetName().Name == used.Name
        select (room.Name, other.Name);

    private static List<string> Longest(string room, ILookup<string, string> arrows, string[] above)
    {
        Assert.DoesNotContain(room, above);
        var below = arrows[room].Select(r => Longest(r, arrows, [.. above, room])).MaxBy(c => c.Count) ?? [];
        return [room, .. below];
    }

    [GeneratedRegex("<ProjectReference\\s+Include=\"([^\"]+)\"")]
    private static partial Regex ProjectReference();

    [GeneratedRegex(@"^namespace [\w.]+\.OnNode\b", RegexOptions.Multiline)]
    private static partial Regex OnNode();

    [GeneratedRegex("global using (static )?Groundcrew\\.Journal|<Using Include=\"Groundcrew\\.Journal")]
    private static partial Regex GlobalUse();
}
