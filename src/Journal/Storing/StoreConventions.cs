using System.Text;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Metadata.Conventions;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace Groundcrew.Journal;

/// <summary>How values of .NET become the five column types that both engines know.</summary>
internal static class StoreConventions
{
    public static void Apply(ModelConfigurationBuilder conventions)
    {
        conventions.Properties<string>().HaveColumnType("text");
        conventions.Properties<long>().HaveColumnType("bigint");
        conventions.Properties<int>().HaveConversion<long>().HaveColumnType("bigint");
        conventions.Properties<bool>().HaveColumnType("boolean");
        conventions.Properties<byte[]>().HaveColumnType("bytea");
        conventions.Properties<double>().HaveColumnType("double precision");
        conventions.Properties<Guid>().HaveConversion<GuidText>().HaveColumnType("text");
        conventions.Properties<DateTimeOffset>().HaveConversion<TimeMicroseconds>().HaveColumnType("bigint");
        conventions.Properties<TimeSpan>().HaveConversion<SpanMicroseconds>().HaveColumnType("bigint");
        conventions.Properties<Enum>().HaveConversion<string>().HaveColumnType("text");
        conventions.Conventions.Add(_ => new SnakeCaseColumns());
    }

    /// <summary><c>CreatedAt</c> becomes <c>created_at</c>.</summary>
    public static string SnakeCase(string name)
    {
        var text = new StringBuilder(name.Length + 8);
        foreach (var c in name)
        {
            if (char.IsUpper(c) && text.Length > 0)
                text.Append('_');
            text.Append(char.ToLowerInvariant(c));
        }
        return text.ToString();
    }

    private sealed class SnakeCaseColumns : IModelFinalizingConvention
    {
        public void ProcessModelFinalizing(IConventionModelBuilder modelBuilder, IConventionContext<IConventionModelBuilder> context)
        {
            foreach (var property in modelBuilder.Metadata.GetEntityTypes().SelectMany(e => e.GetDeclaredProperties()))
                property.Builder.HasColumnName(SnakeCase(property.Name));
        }
    }

    /// <summary>Text 'D', lower-case: sorts like the UUIDv7 it holds.</summary>
    private sealed class GuidText() : ValueConverter<Guid, string>(id => id.ToString("D"), text => Guid.ParseExact(text, "D"));

    private sealed class TimeMicroseconds() : ValueConverter<DateTimeOffset, long>(time => StoreTime.ToMicroseconds(time), value => StoreTime.FromMicroseconds(value));

    private sealed class SpanMicroseconds() : ValueConverter<TimeSpan, long>(
        span => span.Ticks / TimeSpan.TicksPerMicrosecond, value => TimeSpan.FromTicks(value * TimeSpan.TicksPerMicrosecond));
}

/// <summary>Times as the store keeps them: whole microseconds since 1970, UTC. Thread-safe.</summary>
public static class StoreTime
{
    /// <summary>Microseconds since the Unix epoch, rounded down.</summary>
    public static long ToMicroseconds(DateTimeOffset time) =>
        (time.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / TimeSpan.TicksPerMicrosecond;

    /// <summary>The time, in UTC.</summary>
    public static DateTimeOffset FromMicroseconds(long value) => DateTimeOffset.UnixEpoch.AddTicks(value * TimeSpan.TicksPerMicrosecond);

    /// <summary>The time now as it reads when it comes back from the store: without what is finer than a microsecond.</summary>
    public static DateTimeOffset StoreNow(this TimeProvider clock) => FromMicroseconds(ToMicroseconds(clock.GetUtcNow()));
}
