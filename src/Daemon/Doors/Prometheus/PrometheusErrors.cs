using Groundcrew.Metrics;
using Groundcrew.PromQL;

namespace Groundcrew.Daemon.Doors;

/// <summary>
/// An answer of Prometheus' API that is an error: its <c>errorType</c>, the status of HTTP that goes with it, and its
/// words, which are those of Prometheus because tools compare them.
/// </summary>
internal sealed class PrometheusErrorException(string type, int status, string message) : Exception(message)
{
    public string Type { get; } = type;

    public int Status { get; } = status;

    /// <summary>A parameter is wrong.</summary>
    public static PrometheusErrorException BadData(string message) => new("bad_data", StatusCodes.Status400BadRequest, message);

    /// <summary>A parameter is wrong, and which.</summary>
    public static PrometheusErrorException BadParameter(string name, string message) => BadData($"invalid parameter {LabelText.Quoted(name)}: {message}");

    /// <summary>Why a query has no answer.</summary>
    public static PrometheusErrorException Of(QueryError error) => error.Kind switch
    {
        QueryErrorKind.BadData => BadParameter("query", error.Message),
        QueryErrorKind.Execution => new("execution", StatusCodes.Status422UnprocessableEntity, error.Message),
        QueryErrorKind.Timeout => new("timeout", StatusCodes.Status503ServiceUnavailable, error.Message),
        _ => new("canceled", StatusCodes.Status499ClientClosedRequest, error.Message),
    };
}
