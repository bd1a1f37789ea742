using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary><c>label_replace</c>: sets a label to what an expression finds in another one. Looks at each series once.</summary>
internal sealed class LabelReplaceFunction(FunctionSignature signature) : MatrixFunction(signature)
{
    public override StepMatrix Evaluate(IReadOnlyList<StepMatrix?> arguments, Steps steps, in CallSite site)
    {
        if (site.Texts(from: 1) is not [var target, var template, var source, var expression])
            throw new InvalidOperationException("label_replace was called with other arguments than its signature has.");
        var pattern = Compile(expression);
        LabelFunctions.CheckName(target, "destination", "label_replace");
        var builder = new LabelsBuilder();
        foreach (var series in arguments[0]!.Series)
            if (pattern.TryExpand(series.Labels.Get(source), template, out var value))
                LabelFunctions.Set(series, builder, target, value);
        return new(steps, arguments[0]!.Series);
    }

    private static RegexpPattern Compile(string expression)
    {
        try
        {
            return RegexpPattern.Anchored(expression);
        }
        catch (FormatException)
        {
            throw new QueryFailedException(QueryErrorKind.Execution, "invalid regular expression in label_replace(): " + expression);
        }
    }
}

/// <summary><c>label_join</c>: sets a label to the values of others. Looks at each series once.</summary>
internal sealed class LabelJoinFunction(FunctionSignature signature) : MatrixFunction(signature)
{
    public override StepMatrix Evaluate(IReadOnlyList<StepMatrix?> arguments, Steps steps, in CallSite site)
    {
        if (site.Texts(from: 1) is not [var target, var separator, .. var sources])
            throw new InvalidOperationException("label_join was called with other arguments than its signature has.");
        foreach (var source in sources)
            LabelFunctions.CheckName(source, "source", "label_join");
        LabelFunctions.CheckName(target, "destination", "label_join");
        var builder = new LabelsBuilder();
        foreach (var series in arguments[0]!.Series)
            LabelFunctions.Set(series, builder, target, string.Join(separator, Array.ConvertAll(sources, series.Labels.Get)));
        return new(steps, arguments[0]!.Series);
    }
}

/// <summary>What the functions of labels share.</summary>
internal static class LabelFunctions
{
    /// <summary>The arguments that are texts, from this one on.</summary>
    public static string[] Texts(this in CallSite site, int from)
    {
        var arguments = site.Call.Arguments;
        var texts = new List<string>(arguments.Count);
        for (var i = from; i < arguments.Count; i++)
        {
            var argument = arguments[i];
            while (argument is Paren paren)
                argument = paren.Inner;
            if (argument is StringLiteral text)
                texts.Add(text.Value);
        }
        return [.. texts];
    }

    /// <summary>A label's name may be any text in UTF-8, but not nothing.</summary>
    public static void CheckName(string name, string role, string function)
    {
        if (name.Length == 0 || !GoText.IsValid(name))
            throw new QueryFailedException(QueryErrorKind.Execution, $"invalid {role} label name in {function}(): {name}");
    }

    /// <summary>Sets a label of a series. A name that is set on purpose is not dropped later.</summary>
    public static void Set(StepSeries series, LabelsBuilder builder, string name, string value)
    {
        series.Labels = builder.Reset(series.Labels).Set(name, value).ToLabels();
        if (name == Labels.MetricName)
            series.DropName = false;
    }
}
