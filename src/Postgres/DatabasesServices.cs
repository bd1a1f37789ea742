using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.Extensions.DependencyInjection;

namespace Groundcrew.Postgres;

/// <summary>How the room is put into a control plane.</summary>
public static class DatabasesServices
{
    /// <summary>
    /// Adds databases, their backups, restores and moves, and the room's loops. Needs the Journal's and the Fleet's services, a
    /// <see cref="DatabasesOptions"/> and an <see cref="IDatabaseClients"/>.
    /// </summary>
    public static IServiceCollection AddDatabases(this IServiceCollection services)
    {
        var scheduled = new Nudge();
        return services
            .AddSingleton<DatabaseSecrets>()
            .AddSingleton<DatabaseReading>()
            .AddSingleton<DatabaseChange>()
            .AddSingleton<Servers>()
            .AddSingleton<Jobs>()
            .AddSingleton<IArchiveReader, StorageReader>()
            .AddSingleton<Archives>()
            .AddSingleton<DrillRecords>()
            .AddSingleton<ScheduleRecords>()
            .AddSingleton<JobOperations>()
            .AddSingleton<CreateOperation>().AddSingleton<RemoveOperation>().AddSingleton<ChangeOperation>()
            .AddSingleton<RestoreOperations>().AddSingleton<RestoreDumpOperation>()
            .AddSingleton<MoveOperations>().AddSingleton<StandbyOperations>().AddSingleton<RotateOperation>()
            .AddSingleton(s => new Databases(
                s.GetRequiredService<Operations>(), s.GetRequiredService<DatabaseChange>(), s.GetRequiredService<DatabaseReading>(), s.GetRequiredService<DatabaseSecrets>(),
                s.GetRequiredService<Nodes>(), s.GetRequiredService<Audit>(), s.GetRequiredService<DatabasesOptions>(), s.GetRequiredService<CreateOperation>(),
                s.GetRequiredService<RemoveOperation>(), s.GetRequiredService<ChangeOperation>()))
            .AddSingleton(s => new DatabaseBackups(
                s.GetRequiredService<Operations>(), s.GetRequiredService<DatabaseChange>(), s.GetRequiredService<DatabaseReading>(), s.GetRequiredService<Archives>(),
                s.GetRequiredService<DrillRecords>(), s.GetRequiredService<Nodes>(), s.GetRequiredService<JobOperations>()))
            .AddSingleton(s => new DatabaseRestores(
                s.GetRequiredService<Operations>(), s.GetRequiredService<DatabaseChange>(), s.GetRequiredService<DatabaseReading>(), s.GetRequiredService<Databases>(),
                s.GetRequiredService<Archives>(), s.GetRequiredService<DatabaseSecrets>(), s.GetRequiredService<IDatabaseClients>(), s.GetRequiredService<Nodes>(),
                s.GetRequiredService<DatabasesOptions>(), s.GetRequiredService<RestoreOperations>(), s.GetRequiredService<RestoreDumpOperation>()))
            .AddSingleton(s => new DatabaseMoves(
                s.GetRequiredService<Operations>(), s.GetRequiredService<DatabaseChange>(), s.GetRequiredService<DatabaseSecrets>(), s.GetRequiredService<Nodes>(),
                s.GetRequiredService<DatabasesOptions>(), s.GetRequiredService<MoveOperations>(), s.GetRequiredService<StandbyOperations>(), s.GetRequiredService<RotateOperation>()))
            .AddSingleton(s => new DatabaseLooks(
                s.GetRequiredService<DatabaseReading>(), s.GetRequiredService<DatabaseSecrets>(), s.GetRequiredService<Link>(), s.GetRequiredService<TimeProvider>()))
            .AddSingleton(s => new DatabaseSchedules(s.GetRequiredService<Store>(), s.GetRequiredService<DatabaseChange>(), scheduled))
            .AddSingleton<ILoop>(s => new SchedulesLoop(
                s.GetRequiredService<Store>(), s.GetRequiredService<DatabaseReading>(), s.GetRequiredService<DatabaseBackups>(), s.GetRequiredService<ISignals>(), scheduled,
                s.GetRequiredService<TimeProvider>()))
            .AddSingleton<ILoop, JobsLoop>()
            .AddSingleton<ILoop, WatchLoop>();
    }

    /// <summary>Makes every operation of the room known, before the journal goes on with what a crash left.</summary>
    public static void RegisterDatabaseOperations(this IServiceProvider services)
    {
        services.GetRequiredService<Databases>();
        services.GetRequiredService<DatabaseBackups>();
        services.GetRequiredService<DatabaseRestores>();
        services.GetRequiredService<DatabaseMoves>();
    }
}
