namespace Groundcrew.PromQL.Evaluation;

/// <summary>The functions of whole vectors and of scalars.</summary>
internal static class VectorFunctions
{
    /// <summary>All of them.</summary>
    public static IEnumerable<Function> All =>
    [
        new StepFunction(Signature("time"), static (time, _) => time / 1000.0),
        new StepFunction(Signature("pi"), static (_, _) => Math.PI),
        new StepFunction(Signature("start"), static (_, whole) => whole.Start / 1000.0),
        new StepFunction(Signature("end"), static (_, whole) => whole.End / 1000.0),
        new StepFunction(Signature("range"), static (_, whole) => (whole.End - whole.Start) / 1000.0),
        new StepFunction(Signature("step"), static (_, whole) => whole.Interval / 1000.0),
        new ChoiceFunction(Signature("min_of"), Mappings.Min),
        new ChoiceFunction(Signature("max_of"), Mappings.Max),
        new VectorFunction(Signature("vector")),
        new ScalarFunction(Signature("scalar")),
        new AbsentFunction(Signature("absent")),
        new MappingFunction(Signature("round"), static (value, multiple, _) => Mappings.Round(value, multiple), missing: 1),
        new MappingFunction(Signature("clamp"), Mappings.Clamp),
        new MappingFunction(Signature("clamp_min"), static (value, min, _) => Mappings.Clamp(value, min, double.PositiveInfinity)),
        new MappingFunction(Signature("clamp_max"), static (value, max, _) => Mappings.Clamp(value, double.NegativeInfinity, max)),
        new SortFunction(Signature("sort"), descending: false),
        new SortFunction(Signature("sort_desc"), descending: true),
        new SortByLabelFunction(Signature("sort_by_label"), descending: false),
        new SortByLabelFunction(Signature("sort_by_label_desc"), descending: true),
        new LabelReplaceFunction(Signature("label_replace")),
        new LabelJoinFunction(Signature("label_join")),
        new DateFunction(Signature("minute"), static moment => moment.SecondOfDay / 60 % 60),
        new DateFunction(Signature("hour"), static moment => moment.SecondOfDay / 3600),
        new DateFunction(Signature("day_of_week"), static moment => moment.DayOfWeek),
        new DateFunction(Signature("day_of_month"), static moment => moment.Day),
        new DateFunction(Signature("day_of_year"), static moment => moment.DayOfYear),
        new DateFunction(Signature("days_in_month"), static moment => moment.DaysInMonth),
        new DateFunction(Signature("month"), static moment => moment.Month),
        new DateFunction(Signature("year"), static moment => moment.Year),
    ];

    private static FunctionSignature Signature(string name) => FunctionTable.SignatureOf(name);
}
