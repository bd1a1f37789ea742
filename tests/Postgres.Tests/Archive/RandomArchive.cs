namespace Groundcrew.Postgres.Tests.Archive;

/// <summary>An archive by chance, the same for the same seed: timelines that fork anywhere, log in parts and segments with holes, backups of every kind.</summary>
internal static class RandomArchive
{
    public static ArchiveWorld Make(int seed)
    {
        var random = new Random(seed);
        var world = new ArchiveWorld();
        var begin = 0;
        double minute = 0;
        var holes = random.Next(3);
        uint timeline = 1;
        for (; timeline <= random.Next(1, 4); timeline++)
        {
            var end = begin + random.Next(6, 30);
            Log(world, random, timeline, begin, end, minute, holes);
            Bases(world, random, timeline, begin, end, minute);
            var fork = random.Next(begin, end + 3);
            minute += end - begin + random.Next(1, 9);
            begin = fork;
            world.Fork(timeline + 1, timeline, fork);
        }
        if (random.Next(2) == 0)
            Log(world, random, timeline, begin, begin + 4, minute, 0);
        for (var dump = 0; dump < random.Next(8); dump++)
        {
            world.Dump($"d{dump}", random.Next(2) == 0 ? "zmos" : "loyalty", random.Next(100));
            if (random.Next(2) == 0)
                world.Mark($"d{dump}", (MarkKind)random.Next(5), random.Next(100, 200));
        }
        return world;
    }

    private static void Log(ArchiveWorld world, Random random, uint timeline, int begin, int end, double minute, int holes)
    {
        for (var at = begin / 4 * 4 + (random.Next(4) == 0 ? begin % 4 : 0); at < end;)
        {
            var next = random.Next(3) == 0 ? at + random.Next(1, 4) : (at + 4) / 4 * 4;
            var from = random.Next(8) == 0 ? Math.Max(0, at - random.Next(3)) : at;
            if (holes == 0 || random.Next(10 / holes + 4) > 0)
                world.Wal(timeline, from, next, random.Next(5) == 0 ? null : minute + next - begin);
            if (random.Next(10) == 0)
                world.Wal(timeline, next, next, minute + next - begin + 0.5);
            at = next;
        }
    }

    private static void Bases(ArchiveWorld world, Random random, uint timeline, int begin, int end, double minute)
    {
        for (var number = 0; number < random.Next(5); number++)
        {
            var start = random.Next(begin, end);
            var stop = start + random.Next(1, 4);
            var name = $"base-{timeline}-{number}";
            world.Base(name, timeline, start, stop, minute + stop - begin + 0.25);
            if (random.Next(3) > 0)
                world.Mark(name, (MarkKind)random.Next(5), random.Next(100, 200));
            if (random.Next(6) == 0)
                world.Mark(name, (MarkKind)random.Next(5), random.Next(100, 200));
        }
    }
}
