using System.Text;
using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests.Conformance;

/// <summary>
/// What targets answer, well and badly (<c>corpus/answers</c>): what the client sees, what the access record says, and
/// whether connections are used again. The request after it, by the same way, must always get its own answer.
/// </summary>
public abstract class AnswerCorpusTests(bool isDirect, ITestOutputHelper output) : IDisposable
{
    /// <summary>How many cases there are. It only grows: a bug becomes a case first.</summary>
    private const int RecordedCases = 162;

    private static readonly string[] OwnFields = ["date", "via", "x-request-id", "connection", "transfer-encoding"];
    private readonly TempFolder _folder = new();

    public void Dispose()
    {
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Every_answer_of_the_corpus_is_passed_on_as_recorded()
    {
        var files = CorpusCase.Load("answers");
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        var wrong = new List<string>();
        var generation = 0;
        foreach (var (file, cases) in files)
        {
            var text = new StringBuilder();
            foreach (var one in cases)
            {
                var seen = await RunAsync(edge, one, ++generation);
                text.Append(one.With(seen)).Append('\n');
                if (!seen.SequenceEqual(one.Expected))
                    wrong.Add($"{Path.GetFileName(file)}: {one.With(seen)}instead of\n{string.Concat(one.Expected.Select(l => $"  {l}\n"))}");
            }
            // The recorder is the full path; the direct one must then do the same.
            if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1" && !isDirect)
                File.WriteAllText(file, text.ToString());
        }
        output.WriteLine($"{files.Values.Sum(c => c.Count)} answers ran.");
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
        Assert.True(files.Values.Sum(c => c.Count) >= RecordedCases, "Fewer cases than are recorded.");
        Assert.Distinct(files.Values.SelectMany(c => c).Select(c => c.Name));
    }

    private async Task<List<string>> RunAsync(EdgeHost edge, CorpusCase one, int generation)
    {
        RawBackend? backend = null;
        (int First, int Second) connections = default;
        await using var made = backend = new RawBackend(async (connection, head, stop) =>
        {
            await backend!.BodyAsync(connection, head, stop);
            if (head.Start.Contains(" /second ", StringComparison.Ordinal))
            {
                connections.Second = connection.Number;
                await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond", stop);
                return true;
            }
            connections.First = connection.Number;
            return await PlayAsync(connection, one.Joined("send"), stop);
        });
        Assert.IsType<ApplyOutcome.Applied>(edge.Table.Apply(Of(generation, Route("app.example.org", backend.Target).Idling(TimeSpan.FromSeconds(one.Lines("waits").Any() ? 1 : 30)))));

        var method = one.Joined("request") is { Length: > 0 } named ? named : "GET";
        var id = $"{(isDirect ? "d" : "f")}-{generation}";
        var seen = new List<string>();
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        var (isKept, isWhole, isOwn) = (false, false, false);
        try
        {
            await client.SendAsync($"{method} /case HTTP/1.1\r\nHost: app.example.org\r\nX-Request-Id: {id}\r\n{(method == "POST" ? "Content-Length: 4\r\n\r\nbody" : "\r\n")}");
            var answer = await client.AnswerAsync(method == "HEAD");
            Describe(answer, id, seen);
            isWhole = answer is { IsWhole: true };
            isOwn = seen.Exists(s => s.StartsWith("own ", StringComparison.Ordinal));
            isKept = answer is { IsWhole: true } && answer.Field("connection") != "close";
        }
        catch (InvalidDataException e)
        {
            seen.Add("no HTTP: " + e.Message);
        }
        const string Second = "GET /second HTTP/1.1\r\nHost: app.example.org\r\n\r\n";
        var second = isKept && await client.SendAsync(Encoding.ASCII.GetBytes(Second)) ? await client.AnswerAsync() : null;
        using var again = second is null ? await RawClient.ConnectAsync(edge.TrafficPort) : null;
        (isKept, second) = (second is not null, second ?? await again!.AskAsync(Second));
        if (second.Text != "second" || second.Status != 200)
            seen.Add($"THE SECOND GOT {second.Start} {second.Text}");
        var record = await RecordAsync(id);
        // How much of an answer that breaks off is on its way already is chance.
        if (record.StartsWith("target-cut", StringComparison.Ordinal))
            return [isWhole && !isOwn ? "A PART WAS TAKEN FOR THE WHOLE" : "the answer breaks off, and the client can tell", "record target-cut"];
        seen.Add("record " + record);
        // What only the target can tell, and costs nobody anything, is each path's own where the case says so.
        if (one.Lines("own").Any())
            return seen;
        var isReused = connections.First == connections.Second ? ", target used again" : ", target not used again";
        seen.Add($"client {(isKept ? "kept" : "closed")}{(isOwn ? "" : isReused)}, asked {backend.Heads.Count(h => h.Start.Contains("/case", StringComparison.Ordinal))}");
        seen.AddRange(backend.Faults.Select(f => "fault " + f));
        return seen;
    }

    /// <summary>Sends what a script says; <c>@close</c>, <c>@reset</c>, <c>@wait</c> and <c>@slow</c> stand between the bytes.</summary>
    private static async Task<bool> PlayAsync(RawConnection connection, string script, CancellationToken stop)
    {
        var isSlow = false;
        foreach (var part in script.Replace("@", "\n@", StringComparison.Ordinal).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var bytes = part;
            foreach (var word in new[] { "@close", "@reset", "@wait", "@slow" })
                if (part.StartsWith(word, StringComparison.Ordinal))
                    (bytes, isSlow) = (part[word.Length..], isSlow || word == "@slow");
            if (part.StartsWith("@close", StringComparison.Ordinal))
                return false;
            if (part.StartsWith("@reset", StringComparison.Ordinal))
            {
                connection.Reset();
                return false;
            }
            if (part.StartsWith("@wait", StringComparison.Ordinal))
                await connection.Reader.EndsAsync(stop);
            await connection.SendAsync(CorpusCase.Bytes(bytes), isSlow, stop);
        }
        return true;
    }

    private static void Describe(WireMessage? answer, string id, List<string> seen)
    {
        if (answer is null)
        {
            seen.Add("no answer");
            return;
        }
        seen.Add($"status {answer.Status}");
        if (answer.Field("cache-control") == "no-store" && answer.Field("x-request-id") == id && answer.Text.Contains(id, StringComparison.Ordinal))
        {
            seen.Add($"own {answer.Text[..answer.Text.IndexOf(" (request", StringComparison.Ordinal)]}");
            return;
        }
        // How a whole body was framed on its way is each path's own; its length says nothing that the body does not.
        seen.AddRange(answer.Fields.Where(f => !OwnFields.Contains(f.Name) && (f.Name != "content-length" || !answer.IsWhole || answer.Body.Length == 0 && f.Value != "0")).GroupBy(f => f.Name, (name, all) => $"field {name}: {string.Join(", ", all.Select(a => Short(a.Value)))}").Order(StringComparer.Ordinal));
        seen.Add($"body {Short(answer.Text)}{(answer.IsWhole ? "" : " cut")}");
    }

    private async Task<string> RecordAsync(string id)
    {
        var record = await AccessFile.RecordAsync(_folder.Path, id);
        var outcome = record.GetProperty("outcome").GetString();
        var bytes = outcome != "served" ? "" : $", bytes {(record.TryGetProperty("bytes", out var count) ? count.ToString() : "unknown")}";
        return $"{outcome} {record.GetProperty("status").GetInt32()}{bytes}, attempts {record.GetProperty("attempts").GetInt32()}";
    }

    private static string Short(string text)
    {
        var shown = string.Concat(text.Select(c => c is >= ' ' and <= '~' ? c.ToString() : $"\\x{(int)c:x2}"));
        return shown.Length <= 80 ? shown : $"{shown[..60]}... of {text.Length}";
    }
}

/// <summary>On the direct path.</summary>
public sealed class AnswerCorpusOnTheDirectPathTests(ITestOutputHelper output) : AnswerCorpusTests(isDirect: true, output);

/// <summary>On the full path.</summary>
public sealed class AnswerCorpusOnTheFullPathTests(ITestOutputHelper output) : AnswerCorpusTests(isDirect: false, output);
