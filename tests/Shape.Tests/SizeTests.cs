using System.Reflection.Metadata;
using Xunit;

namespace Groundcrew.Shape.Tests;

/// <summary>Sizes are aims: printed, never failures, so that nobody splits a good method to please a counter.</summary>
public sealed class SizeTests
{
    private const int LongFile = 400;
    private const int LongMethod = 60;

    [Fact]
    public void Long_files_and_methods_are_printed()
    {
        foreach (var file in Tree.Files(".cs", "src", "tests").Where(f => f.Text.AsSpan().Count('\n') > LongFile))
            Console.WriteLine($"aim: {file.Path} has {file.Text.AsSpan().Count('\n')} lines; {LongFile} is the ceiling");
        var measured = 0;
        foreach (var room in Tree.Rooms)
            foreach (var (method, lines) in Methods(Path.ChangeExtension(room.Assembly.Location, ".pdb")))
            {
                measured++;
                if (lines > LongMethod)
                    Console.WriteLine($"aim: {method} has {lines} lines; {LongMethod} is the ceiling");
            }
        Assert.NotEqual(0, measured);
    }

    /// <summary>Files with the lines from the first to the last statement of each method, as the debugger knows them.</summary>
    private static IEnumerable<(string Method, int Lines)> Methods(string symbols)
    {
        using var stream = File.OpenRead(symbols);
        using var provider = MetadataReaderProvider.FromPortablePdbStream(stream);
        var reader = provider.GetMetadataReader();
        foreach (var handle in reader.MethodDebugInformation)
        {
            var points = reader.GetMethodDebugInformation(handle).GetSequencePoints().Where(p => !p.IsHidden).ToList();
            if (points.Count == 0)
                continue;
            var document = reader.GetString(reader.GetDocument(points[0].Document).Name);
            if (document.Contains("/obj/", StringComparison.Ordinal) || !document.EndsWith(".cs", StringComparison.Ordinal))
                continue;
            yield return ($"{Tree.Relative(document)}:{points.Min(p => p.StartLine)}", points.Max(p => p.EndLine) - points.Min(p => p.StartLine) + 1);
        }
    }
}
