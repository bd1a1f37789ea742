var builder = WebApplication.CreateSlimBuilder(args);
var settings = builder.Configuration;
builder.WebHost.UseUrls($"http://{settings["HOST"] ?? "127.0.0.1"}:{settings["PORT"] ?? "5000"}");
builder.Logging.AddFilter("Microsoft", LogLevel.Warning); // Its own words, not a line for each request.
builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(10));

var app = builder.Build();
var version = typeof(Program).Assembly.GetName().Version!.ToString(3);
var instance = settings["INSTANCE_ID"] ?? "none";
var greeting = settings["GREETING"] ?? "Hello";

app.MapGet("/", () => new { greeting, version, instance });
app.MapGet("/health/live", () => new { status = "alive" });

// The host says "stopping" on SIGTERM, before it stops listening: no new request comes while the last ones finish.
app.MapGet("/health/ready", () => app.Lifetime.ApplicationStopping.IsCancellationRequested
    ? Results.Json(new { status = "not ready" }, statusCode: 503)
    : Results.Ok(new { status = "ready" }));

app.Lifetime.ApplicationStarted.Register(() => app.Logger.LogInformation("hello {Version} listens", version));
app.Lifetime.ApplicationStopping.Register(() => app.Logger.LogInformation("hello {Version} finishes what it began", version));
app.Run();
