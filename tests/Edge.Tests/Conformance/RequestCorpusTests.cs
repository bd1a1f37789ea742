using System.Text;
using System.Text.Json;
using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests.Conformance;

/// <summary>
/// Requests that are malformed, ambiguous or made to be read differently by two readers
/// (<c>corpus/requests</c>), each as the first and as the second request of a connection, and byte by byte. Whatever came,
/// the backend never sees a request, or a part of one, that the edge did not count as exactly one.
/// </summary>
public abstract class RequestCorpusTests(bool isDirect, ITestOutputHelper output) : IDisposable
{
    /// <summary>How many cases there are. It only grows: a bug becomes a case first.</summary>
    private const int RecordedCases = 261;

    private const string Probe = "GET /probe HTTP/1.1\r\nHost: app.example.org\r\nConnection: close\r\n\r\n";
    private const string First = "GET /first HTTP/1.1\r\nHost: app.example.org\r\n\r\n";

    /// <summary>Fields that the edge says of the client's way; other tests look at their values.</summary>
    private static readonly string[] OwnFields = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "via", "x-request-id"];

    private readonly TempFolder _folder = new();

    /// <summary>How the bytes of a case come.</summary>
    public enum Manner
    {
        First,
        Second,
        ByteByByte,
    }

    public void Dispose()
    {
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData(Manner.First)]
    [InlineData(Manner.Second)]
    [InlineData(Manner.ByteByByte)]
    public async Task Every_request_of_the_corpus_is_read_as_recorded(Manner manner)
    {
        var files = CorpusCase.Load("requests");
        await using var backend = RawBackend.Telling();
        var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route("app.example.org", backend.Target)));
        var wrong = new List<string>();
        foreach (var (file, cases) in files)
        {
            var text = new StringBuilder();
            foreach (var one in cases)
            {
                var seen = await RunAsync(edge, backend, one, manner);
                text.Append(one.With(seen)).Append('\n');
                if (!seen.SequenceEqual(one.Expected))
                    wrong.Add($"{Path.GetFileName(file)}: {one.With(seen)}instead of\n{string.Concat(one.Expected.Select(l => $"  {l}\n"))}");
            }
            // The recorder is the full path; the others must then see the same.
            if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1" && manner == Manner.First && !isDirect)
                File.WriteAllText(file, text.ToString());
        }
        await edge.StopAsync();
        await edge.DisposeAsync();
        output.WriteLine($"{files.Values.Sum(c => c.Count)} requests ran.");
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
        Assert.Empty(backend.Faults);
        var accounted = Accounted().ToList();
        Assert.Distinct(accounted);
        Assert.Distinct(backend.Heads.Select(h => h.Field("x-request-id")));
        Assert.Subset(accounted.ToHashSet(), backend.Heads.Select(h => h.Field("x-request-id")!).ToHashSet());
        Assert.True(files.Values.Sum(c => c.Count) >= RecordedCases, "Fewer cases than are recorded.");
        Assert.Distinct(files.Values.SelectMany(c => c).Select(c => c.Name));
    }

    /// <summary>The ids of the requests that the access log says were offered to the target, each exactly once.</summary>
    private IEnumerable<string> Accounted()
    {
        foreach (var line in File.ReadAllLines(_folder["access.log"]).Select(l => JsonDocument.Parse(l).RootElement).OrderBy(l => l.GetProperty("request_id").GetString(), StringComparer.Ordinal))
        {
            var attempts = line.GetProperty("attempts").GetInt32();
            Assert.InRange(attempts, 0, 1);
            if (attempts == 1)
                yield return line.GetProperty("request_id").GetString()!;
        }
    }

    private static async Task<List<string>> RunAsync(EdgeHost edge, RawBackend backend, CorpusCase one, Manner manner)
    {
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        if (manner == Manner.Second)
            Assert.Equal("GET /first", (await client.AskAsync(First)).Text);
        var before = (Heads: backend.Heads.Count, Requests: backend.Requests.Count, Faults: backend.Faults.Count);
        var sending = client.SendAsync(CorpusCase.Bytes(one.Joined("send") + Probe.Replace("\r\n", "\\r\\n", StringComparison.Ordinal)), manner == Manner.ByteByByte);
        var seen = new List<string> { "client " + await AnswersAsync(client, one) };
        await sending;
        await Eventually.TrueAsync(() => backend.Requests.Count == backend.Heads.Count, "every request at the backend is over");
        // One that breaks off is none: its framing says so to every server.
        seen.AddRange(backend.Requests.Skip(before.Requests).Where(r => r.IsWhole).Select(Described));
        seen.AddRange(backend.Faults.Skip(before.Faults).Select(f => "fault " + f));
        return seen;
    }

    private static async Task<string> AnswersAsync(RawClient client, CorpusCase one)
    {
        var answers = new List<string>();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(client.Stop);
        var isSilent = one.Lines("ends").Contains("silent");
        if (isSilent)
            patience.CancelAfter(TimeSpan.FromSeconds(2));
        try
        {
            while (await client.Reader.HeadAsync(patience.Token) is { } head)
            {
                var isHead = one.Joined("send").StartsWith("HEAD", StringComparison.Ordinal) && !answers.Exists(a => a[0] != '1');
                var answer = head.Status < 200 || isHead ? head with { IsWhole = true } : await client.Reader.BodyAsync(head, isToTheEnd: true, patience.Token);
                var text = answer.Status == 200 && !isHead ? $" [{Short(answer.Text)}]" : "";
                answers.Add($"{answer.Status}{text}{(answer.IsWhole ? "" : " cut")}");
            }
            answers.Add("closed");
        }
        catch (OperationCanceledException) when (isSilent)
        {
            answers.Add("silent");
        }
        catch (InvalidDataException)
        {
            // A server of HTTP/2 says goodbye in frames to who began in HTTP/2.
            answers.Add("closed in frames");
        }
        return string.Join(", ", answers);
    }

    private static string Described(WireMessage request)
    {
        // That there is no body may be said or not, and a list may stand in one line or in several.
        var fields = request.Fields.Where(f => !OwnFields.Contains(f.Name) && f != ("content-length", "0"))
            .GroupBy(f => f.Name, (name, all) => $"{name}: {string.Join(name == "cookie" ? "; " : ", ", all.Select(a => Short(a.Value)))}");
        return $"backend {Short(request.Start)} | {string.Join(" | ", fields.Order(StringComparer.Ordinal))} | {Short(request.Text)}{(request.IsWhole ? "" : " cut")}";
    }

    private static string Short(string text)
    {
        var shown = string.Concat(text.Select(c => c is >= ' ' and <= '~' ? c.ToString() : $"\\x{(int)c:x2}"));
        return shown.Length <= 80 ? shown : $"{shown[..60]}... of {text.Length}";
    }
}

/// <summary>On the direct path.</summary>
public sealed class RequestCorpusOnTheDirectPathTests(ITestOutputHelper output) : RequestCorpusTests(isDirect: true, output);

/// <summary>On the full path.</summary>
public sealed class RequestCorpusOnTheFullPathTests(ITestOutputHelper output) : RequestCorpusTests(isDirect: false, output);
