using Xunit;

namespace Groundcrew.Shape.Tests;

/// <summary>What a room shows to others is approved text under docs/faces; a change of it is seen in review.</summary>
public sealed class FaceTests
{
    public static TheoryData<string> Rooms => [.. Tree.Rooms.Select(r => r.Name)];

    [Theory]
    [MemberData(nameof(Rooms))]
    public void The_public_face_is_the_approved_one(string room)
    {
        var now = PublicFace.Of(Tree.Rooms.Single(r => r.Name == room).Assembly);
        var approved = Tree.Full($"docs/faces/{room}.txt");
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(approved)!);
            File.WriteAllText(approved, now);
            return;
        }
        var before = File.Exists(approved) ? File.ReadAllText(approved) : "";
        Assert.True(before == now, $"""
            The public face of {room} is not the one in docs/faces/{room}.txt:
            {Difference(before, now)}
            If the change is meant, approve it: UPDATE_GOLDEN=1 ./check shape, then commit docs/faces.
            """);
    }

    [Fact]
    public void Every_approved_face_belongs_to_a_room() =>
        Expect.Nothing("Faces of rooms that are gone; delete them:", Tree.Files(".txt", "docs/faces").Select(f => Path.GetFileNameWithoutExtension(f.Path)).Except(Tree.Rooms.Select(r => r.Name)));

    /// <summary>Lines that left and came, each under its type.</summary>
    private static string Difference(string before, string now)
    {
        var (old, young) = (WithType(before), WithType(now));
        return string.Join('\n', old.Except(young).Select(l => "- " + l).Concat(young.Except(old).Select(l => "+ " + l)));
    }

    private static List<string> WithType(string face)
    {
        var lines = new List<string>();
        var type = "";
        foreach (var line in face.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!line.StartsWith(' '))
                type = line;
            lines.Add(line == type ? line : $"{type} ▸ {line.Trim()}");
        }
        return lines;
    }
}
