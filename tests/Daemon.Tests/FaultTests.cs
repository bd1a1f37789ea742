using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Daemon.Doors;
using Groundcrew.Deploys;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Postgres;
using Groundcrew.Journal.Tests;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>What is answered when the store, the disk or the program itself fails.</summary>
public sealed class FaultTests(PostgresServer server)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_store_that_goes_away_while_it_runs_is_a_problem_and_not_a_fault()
    {
        var connection = await server.NewDatabaseAsync();
        await using var host = await ControlHost.StartAsync(connection: connection);
        await DropAsync(new Uri(connection.Reveal()));
        foreach (var path in (string[])["/api/v1/projects", "/api/v1/tokens", "/api/v1/status"])
            (await host.GetAsync(path)).IsProblem(503, ProblemCodes.StoreUnavailable);
        (await host.PostAsync("/api/v1/projects", """{"name":"web","org":"acme"}""", ("Idempotency-Key", "k"))).IsProblem(503, ProblemCodes.StoreUnavailable);
        Assert.Equal(503, (await host.GetAsync("/health")).Status);
        Assert.Equal(503, (await host.GetAsync("/health/ready")).Status);
        Assert.Equal(200, (await host.GetAsync("/health/live")).Status);
        Assert.Equal(200, (await host.GetAsync("/metrics")).Status);
    }

    [Fact]
    public async Task A_full_disk_refuses_changes_and_goes_on_answering()
    {
        using var disk = SmallDisk.TryMake("3m");
        Assert.SkipWhen(disk is null, "Mounting needs root.");
        await using var host = await ControlHost.StartAsync(storeFolder: Path.Combine(disk.Path, "control"));
        (await host.GetAsync("/api/v1/projects")).Ok(200);
        Fill(Path.Combine(disk.Path, "filler"));
        var refused = (Answer?)null;
        for (var i = 0; i < 1000 && refused is null; i++)
            if (await host.PostAsync("/api/v1/projects", $$"""{"name":"web-{{i}}","org":"acme"}""") is { Status: not 201 } answer)
                refused = answer;
        Assert.Equal("store-full", Assert.Single(refused!.IsProblem(503, ProblemCodes.StoreUnavailable).Problems).Code);
        (await host.PostAsync("/api/v1/projects", """{"name":"key","org":"acme"}""", ("Idempotency-Key", "k"))).IsProblem(503, ProblemCodes.StoreUnavailable);
        (await host.GetAsync("/api/v1/projects")).Ok(200);
    }

    [Fact]
    public async Task A_fault_is_one_answer_and_one_record_that_share_an_id()
    {
        await using var host = await ControlHost.StartAsync(map: app =>
            app.MapGet("/api/v1/fault", (HttpContext http) =>
            {
                http.Response.Headers.ETag = "\"1\"";
                throw new InvalidOperationException("words of the inside");
            }).Needs(Role.Viewer));
        var answer = await host.GetAsync("/api/v1/fault");
        var problem = answer.IsProblem(500, ProblemCodes.Internal);
        Assert.DoesNotContain("inside", answer.Text, StringComparison.Ordinal);
        Assert.Null(answer.Header("ETag"));
        var record = Assert.Single(host.Log.Records, r => r.Level >= LogLevel.Warning);
        Assert.Contains("words of the inside", record.Text, StringComparison.Ordinal);
        var id = problem.Detail[(problem.Detail.LastIndexOf(' ') + 1)..].TrimEnd('.');
        Assert.Contains($"request {id}", record.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_fault_of_ours_keeps_no_answer_under_the_key()
    {
        var fails = true;
        await using var host = await ControlHost.StartAsync(map: app =>
            app.MapPost("/api/v1/fault", () => fails ? throw new InvalidOperationException("once") : Answers.View(1)).Needs(Role.Viewer));
        (await host.PostAsync("/api/v1/fault", "{}", ("Idempotency-Key", "k"))).IsProblem(500, ProblemCodes.Internal);
        fails = false;
        Assert.Null((await host.PostAsync("/api/v1/fault", "{}", ("Idempotency-Key", "k"))).Ok(200).Header("Idempotency-Replayed"));
        Assert.Equal("true", (await host.PostAsync("/api/v1/fault", "{}", ("Idempotency-Key", "k"))).Ok(200).Header("Idempotency-Replayed"));
    }

    [Fact]
    public async Task A_full_disk_refuses_an_artifact_and_says_what_to_do()
    {
        var full = new DurableFiles((step, path) =>
        {
            if (step == DurableStep.SyncFile && path.Contains("artifacts", StringComparison.Ordinal))
                throw new IOException("No space left on device", 28);
        });
        await using var host = await ControlHost.StartAsync(change: builder => builder.Services.AddSingleton(full));
        var upload = await host.SendAsync("PUT", $"/api/v1/artifacts/{Town.DigestOf("x")}", host.Admin, new ByteArrayContent(Encoding.UTF8.GetBytes("x")));
        upload.IsProblem(507, ProblemCodes.InsufficientStorage);
        (await host.GetAsync($"/api/v1/artifacts/{Town.DigestOf("x")}")).IsProblem(404, ProblemCodes.NotFound);
    }

    [Fact]
    public async Task The_whole_town_stands_on_postgresql_too()
    {
        await using var town = await Town.BuildAsync(await server.NewDatabaseAsync());
        foreach (var call in town.Looks.Concat(town.Changes).Where(c => !c.Pattern.EndsWith("/store/backup", StringComparison.Ordinal)))
        {
            await town.QuietAsync();
            var answer = await town.SendAsync(call, town.Host.Admin, ("Idempotency-Key", call.Name));
            Assert.True(answer.Status is >= 200 and < 300, $"{call.Name} answered {answer.Status} {answer.Text}");
        }
        Assert.DoesNotContain(town.Host.Log.Records, r => r.Level >= LogLevel.Error);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task All_rooms_together_migrate_to_what_the_model_says(bool onPostgres)
    {
        using var folder = new TempFolder();
        var options = new StoreOptions { Folder = folder["control"], Connection = onPostgres ? await server.NewDatabaseAsync() : null };
        var opened = await Store.OpenAsync(options, [new FleetTables(), new DeploysTables(), new DatabasesTables()], TimeProvider.System, Ct);
        await using var store = opened.Value!;
        var (model, actual) = await store.ReadAsync(async (db, token) => (SchemaReader.OfModel(db), await SchemaReader.OfDatabaseAsync(db, store.Engine, token)), Ct);
        Assert.Equal(model, actual);
        Assert.Contains(model, l => l.StartsWith("projects.", StringComparison.Ordinal));
        Assert.Contains(model, l => l.StartsWith("nodes.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Output_that_is_longer_than_any_request_comes_through_the_link_whole()
    {
        await using var town = await Town.BuildAsync();
        var line = JsonSerializer.Serialize(new LogLine(DateTimeOffset.UnixEpoch, "stdout", new string('x', 64 * 1024), Guid.Empty), Json.Options) + "\n";
        town.Nodes.Output = [.. Enumerable.Repeat(Encoding.UTF8.GetBytes(line), 300).SelectMany(l => l)];
        var output = (await town.Host.GetAsync($"/api/v1/deployments/{town.Current.Label}/logs", headers: ("Accept", "text/plain"))).Ok(200);
        Assert.Equal(300, output.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    private static async Task DropAsync(Uri database)
    {
        await using var connection = new NpgsqlConnection($"Host=127.0.0.1;Port={database.Port};Username=postgres;Database=postgres;Pooling=false");
        await connection.OpenAsync(Ct);
        await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The name is the fixture's own.
        command.CommandText = $"DROP DATABASE {database.AbsolutePath.Trim('/')} WITH (FORCE)";
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(Ct);
    }

    private static void Fill(string file)
    {
        try
        {
            using var stream = File.Create(file, 1);
            while (true)
                stream.Write(new byte[4096]);
        }
        catch (IOException)
        {
            // Full, as was wanted.
        }
    }
}
