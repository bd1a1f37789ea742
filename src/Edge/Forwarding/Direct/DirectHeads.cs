using Microsoft.AspNetCore.WebUtilities;

namespace Groundcrew.Edge;

/// <summary>The heads that the direct path sends, to the target and to the client. Pure but for the date.</summary>
internal static class DirectHeads
{
    /// <summary>The request as the target is to see it.</summary>
    public static void WriteRequest(ref BytesOut to, RequestHead head, DirectExchange exchange)
    {
        to.Write(head.Method);
        to.Write(" "u8);
        to.Write(head.Target);
        to.Write(" HTTP/1.1\r\n"u8);
        var identity = exchange.Route!.Identity;
        foreach (ref readonly var field in head.Fields)
            if (field.Kind is FieldKind.Host or FieldKind.ContentLength or FieldKind.Via or FieldKind.Date or FieldKind.RequestOnly
                || (field.Kind == FieldKind.Other && !identity.Strips(head.NameOf(field))))
                to.Write(head.LineOf(field));
        to.Write("X-Forwarded-For: "u8);
        to.Write(exchange.ForwardedFor ?? "");
        to.Write("\r\nX-Forwarded-Proto: "u8);
        to.Write(ClientWay.Proto(exchange));
        to.Write("\r\nX-Forwarded-Host: "u8);
        to.Write(head.Host);
        to.Write("\r\nForwarded: "u8);
        to.Write(exchange.Forwarded);
        to.Write("\r\nVia: "u8);
        to.Write(ClientWay.Via);
        to.Write("\r\nX-Request-Id: "u8);
        to.Write(exchange.RequestId);
        to.Write("\r\n\r\n"u8);
    }

    /// <summary>The target's answer as the client is to see it.</summary>
    public static void WriteAnswer(ref BytesOut to, AnswerHead answer, ReadOnlySpan<byte> head, DirectExchange exchange, bool isLast, DateField date)
    {
        to.Write("HTTP/1.1 "u8);
        to.Write(answer.Status);
        to.Write(head[answer.Reason]);
        to.Write("\r\n"u8);
        foreach (ref readonly var field in answer.Fields)
        {
            if (field.Kind is FieldKind.Connection or FieldKind.Hop or FieldKind.Framing or FieldKind.RequestOnly || answer.IsDropped(head, head.Slice(field.NameStart, field.NameLength)))
                continue;
            // A chunked body has no length, and an answer without content has none either (RFC 9110, section 8.6).
            if (field.Kind == FieldKind.ContentLength && (answer.Framing == BodyFraming.Chunked || answer.Status == 204))
                continue;
            if (answer.PlainLineOf(head, field) is { IsEmpty: false } line)
            {
                to.Write(line);
                continue;
            }
            to.Write(head.Slice(field.NameStart, field.NameLength));
            to.Write(": "u8);
            to.Write(head.Slice(field.ValueStart, field.ValueLength));
            to.Write("\r\n"u8);
        }
        if (answer.Framing is BodyFraming.Chunked or BodyFraming.UntilClose)
            to.Write("Transfer-Encoding: chunked\r\n"u8);
        if (!answer.HasDate)
            to.Write(date.Now);
        to.Write("Via: "u8);
        to.Write(ClientWay.Via);
        to.Write("\r\n"u8);
        if (!answer.HasRequestId)
            WriteField(ref to, ClientHeaders.RequestId, exchange.RequestId);
        foreach (var (name, value) in EdgeFields.Of(exchange))
            WriteField(ref to, name, value);
        if (exchange.Route is { Caching: not null } or { Compressing: not null })
            foreach (var (name, value) in EdgeFields.Of(exchange, answer.FactsOf(head)))
                WriteField(ref to, name, value);
        if (isLast)
            to.Write("Connection: close\r\n"u8);
        to.Write("\r\n"u8);
    }

    /// <summary>An answer of the edge's own, with its body unless HEAD was asked.</summary>
    public static void WriteOwn(ref BytesOut to, Answer answer, DirectExchange exchange, bool isLast, DateField date)
    {
        to.Write("HTTP/1.1 "u8);
        to.Write(answer.Status);
        to.Write(" "u8);
        to.Write(ReasonPhrases.GetReasonPhrase(answer.Status));
        to.Write("\r\nContent-Length: "u8);
        to.Write(answer.Body.Length);
        to.Write("\r\n"u8);
        to.Write(date.Now);
        WriteField(ref to, "Content-Type", answer.ContentType);
        WriteField(ref to, "Cache-Control", "no-store");
        WriteField(ref to, ClientHeaders.RequestId, exchange.RequestId);
        foreach (var (name, value) in answer.Headers)
            WriteField(ref to, name, value);
        if (isLast)
            to.Write("Connection: close\r\n"u8);
        to.Write("\r\n"u8);
        if (exchange.Method != "HEAD")
            to.Write(answer.Body);
    }

    private static void WriteField(ref BytesOut to, string name, string value)
    {
        to.Write(name);
        to.Write(": "u8);
        to.Write(value);
        to.Write("\r\n"u8);
    }
}
