using Groundcrew.Bedrock;

namespace Groundcrew.Cli.Verbs;

/// <summary>The manifest that <c>crew manifest init</c> writes: what most services need, the rest as comments. Pure.</summary>
internal static class StarterManifest
{
    public static string For(string folderName)
    {
        var name = string.Concat(folderName.ToLowerInvariant().Select(c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9') ? c : '-')).Trim('-');
        var system = Slug.IsValid(name, out _) && name.Length <= 20 ? name : "acme";
        return $$"""
            # What Groundcrew runs. Every key: crew manifest reference. Check it: crew manifest check
            system: {{system}}        # the organization that owns the services

            services:
              web:               # a service is a project: {{system}}/web
                # build: dotnet publish -c Release -o out    # runs in this folder before packaging
                package: .       # a folder: its content is shipped
                exclude: ["*.log", "node_modules/.cache/"]

                # Listens on the HOST and PORT of its environment. ${PORT} is replaced in a list of words.
                run: ["python3", "-m", "http.server", "${PORT}", "--bind", "${HOST}"]

                health:
                  readiness: /   # 200 to 399 here: traffic may come
                  # liveness: /health/live                     # failing here: the instance is started again
                  deadline: 60s  # not ready by then: the deploy is rolled back, the old version serves on

                instances: 2     # in each region
                # resources: {cpu: 500m, memory: 256Mi}
                # environment: {GREETING: hello}
                # secrets: {DB_PASSWORD: db-password}          # crew secrets set {{system}} db-password
                # domains: [www.example.org]

                drain: 15s              # how long an old instance may finish its requests
                rollbackWindow: 10m     # how long the previous version stays running

                # environments:
                #   staging:
                #     instances: 1

            """;
    }
}
