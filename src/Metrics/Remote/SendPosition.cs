using System.Globalization;
using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>Where in the log a sender goes on after a restart: one line in a file (docs/formats/remote-write-position.md).</summary>
internal sealed class SendPosition(string path, DurableFiles files)
{
    private const string Header = "groundcrew remote-write-position 1";
    private LogPosition? _saved;

    /// <summary>The place; null when there is none, or the file is not what we wrote.</summary>
    public LogPosition? Read()
    {
        try
        {
            var words = File.ReadAllText(path).Split(['\n', ' '], StringSplitOptions.RemoveEmptyEntries);
            if (words is ["groundcrew", "remote-write-position", "1", var segment, var offset]
                && int.TryParse(segment, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && long.TryParse(offset, NumberStyles.None, CultureInfo.InvariantCulture, out var at))
                return _saved = new(number, at);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            // The first start.
        }
        return null;
    }

    /// <summary>Saves the place when it is another one; false when the disk refuses, which the next call tries again.</summary>
    public bool Save(LogPosition position)
    {
        if (_saved == position)
            return true;
        try
        {
            files.Replace(path, $"{Header}\n{position.Segment} {position.Offset}\n");
            _saved = position;
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
