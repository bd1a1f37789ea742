using System.IO.Pipelines;
using System.Text.Encodings.Web;
using System.Text.Json;
using Groundcrew.Metrics;
using Groundcrew.PromQL;

namespace Groundcrew.Daemon.Doors;

/// <summary>An answer of Prometheus' API: its data, written piece by piece, and remarks on it.</summary>
/// <param name="WriteAsync">Writes one JSON value.</param>
/// <param name="Warnings">Something is probably wrong with the data.</param>
/// <param name="Infos">Something is probably wrong with the query.</param>
internal sealed record PrometheusAnswer(Func<PrometheusJson, ValueTask> WriteAsync, IReadOnlyList<string>? Warnings = null, IReadOnlyList<string>? Infos = null)
{
    /// <summary>The remark when <c>limit</c> left something out.</summary>
    public const string Truncated = "results truncated due to limit";

    /// <summary>An answer without a body.</summary>
    public static PrometheusAnswer Nothing { get; } = new(_ => ValueTask.CompletedTask);

    /// <summary>A small answer, written whole.</summary>
    public static PrometheusAnswer Of(Action<Utf8JsonWriter> write, IReadOnlyList<string>? warnings = null) => new(json =>
    {
        write(json.Writer);
        return ValueTask.CompletedTask;
    }, warnings);

    /// <summary>A list of texts, cut at a limit.</summary>
    public static PrometheusAnswer Of(IReadOnlyList<string> texts, int? limit) => new(async json =>
    {
        json.Writer.WriteStartArray();
        foreach (var text in limit is { } most ? texts.Take(most) : texts)
        {
            json.Writer.WriteStringValue(text);
            await json.FlushIfFullAsync();
        }
        json.Writer.WriteEndArray();
    }, texts.Count > limit ? [Truncated] : null);
}

/// <summary>JSON that goes out while it is written, as fast as its reader takes it. Not thread-safe.</summary>
internal sealed class PrometheusJson : IAsyncDisposable
{
    private const int Full = 32 * 1024;

    // Nothing of it ever stands in a page, and the structure is fixed in code. The deepest is a parsed query within its answer.
    private static readonly JsonWriterOptions Options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true, MaxDepth = (Parser.MaxDepth * ExprJson.LevelsEach) + 8,
    };
    private readonly PipeWriter _output;
    private readonly CancellationToken _cancellation;

    public PrometheusJson(HttpContext http)
    {
        (_output, _cancellation) = (http.Response.BodyWriter, http.RequestAborted);
        Writer = new Utf8JsonWriter(_output, Options);
    }

    public Utf8JsonWriter Writer { get; }

    /// <summary>Answers with success.</summary>
    public static async Task AnswerAsync(HttpContext http, PrometheusAnswer answer)
    {
        http.Response.ContentType = "application/json";
        await using var json = new PrometheusJson(http);
        json.Writer.WriteStartObject();
        json.Writer.WriteString("status"u8, "success"u8);
        json.Writer.WritePropertyName("data"u8);
        await answer.WriteAsync(json);
        json.WriteRemarks("warnings", answer.Warnings);
        json.WriteRemarks("infos", answer.Infos);
        json.Writer.WriteEndObject();
    }

    /// <summary>Answers with an error.</summary>
    public static async Task AnswerAsync(HttpContext http, PrometheusErrorException error)
    {
        (http.Response.StatusCode, http.Response.ContentType) = (error.Status, "application/json");
        await using var json = new PrometheusJson(http);
        json.Writer.WriteStartObject();
        json.Writer.WriteString("status"u8, "error"u8);
        json.Writer.WriteString("errorType"u8, error.Type);
        json.Writer.WriteString("error"u8, error.Message);
        json.Writer.WriteEndObject();
    }

    /// <summary>Sends what was written, when it is enough, and waits while the reader is slow.</summary>
    public async ValueTask FlushIfFullAsync()
    {
        if (Writer.BytesPending < Full)
            return;
        await Writer.FlushAsync(_cancellation);
        await _output.FlushAsync(_cancellation);
    }

    /// <summary>Labels as an object.</summary>
    public void WriteLabels(Labels labels)
    {
        Writer.WriteStartObject();
        foreach (var label in labels)
            Writer.WriteString(label.NameUtf8, label.ValueUtf8);
        Writer.WriteEndObject();
    }

    /// <summary>A moment in seconds.</summary>
    public void WriteTime(long milliseconds) =>
        Writer.WriteRawValue(PrometheusNumber.FormatTime(milliseconds, stackalloc byte[PrometheusNumber.MaxLength]), skipInputValidation: true);

    /// <summary>A float, as a string.</summary>
    public void WriteFloat(double value) => Writer.WriteStringValue(PrometheusNumber.Format(value, stackalloc byte[PrometheusNumber.MaxLength]));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Writer.DisposeAsync();
        await _output.FlushAsync(_cancellation);
    }

    private void WriteRemarks(string name, IReadOnlyList<string>? remarks)
    {
        if (remarks is not { Count: > 0 })
            return;
        Writer.WriteStartArray(name);
        foreach (var remark in remarks)
            Writer.WriteStringValue(remark);
        Writer.WriteEndArray();
    }
}
