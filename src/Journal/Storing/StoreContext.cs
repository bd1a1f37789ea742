using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace Groundcrew.Journal;

/// <summary>
/// One reading or writing of the store, given to the delegates of <see cref="Store.ReadAsync{T}"/> and
/// <see cref="Store.WriteAsync{T}"/> and not used after them. Not thread-safe.
/// </summary>
public sealed class StoreContext(DbContextOptions<StoreContext> options) : DbContext(options)
{
    private readonly StoreParts _parts = options.GetExtension<StoreParts>();
    private readonly List<Action> _afterCommit = [];
    private bool _writing;

    internal string ModelKey => _parts.Key;

    /// <summary>
    /// Something to do once the transaction is committed, such as a nudge; dropped when it is not. It must be quick and
    /// must not throw.
    /// </summary>
    /// <exception cref="InvalidOperationException">Nothing is being written here.</exception>
    public void AfterCommit(Action action)
    {
        if (!_writing)
            throw new InvalidOperationException("AfterCommit belongs into a write.");
        _afterCommit.Add(action);
    }

    internal void BeginUse(bool writing)
    {
        _afterCommit.Clear();
        _writing = writing;
        ChangeTracker.QueryTrackingBehavior = writing ? QueryTrackingBehavior.TrackAll : QueryTrackingBehavior.NoTracking;
    }

    internal IReadOnlyList<Action> EndUse()
    {
        Action[] actions = [.. _afterCommit];
        _afterCommit.Clear();
        _writing = false;
        return actions;
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">This is a reading.</exception>
    public override int SaveChanges(bool acceptAllChangesOnSuccess) =>
        _writing ? base.SaveChanges(acceptAllChangesOnSuccess) : throw NotWriting();

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">This is a reading.</exception>
    public override Task<int> SaveChangesAsync(bool acceptAllChangesOnSuccess, CancellationToken cancellationToken = default) =>
        _writing ? base.SaveChangesAsync(acceptAllChangesOnSuccess, cancellationToken) : throw NotWriting();

    /// <inheritdoc/>
    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder) => StoreConventions.Apply(configurationBuilder);

    /// <inheritdoc/>
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        foreach (var part in _parts.All)
            part.Configure(modelBuilder);
    }

    private static InvalidOperationException NotWriting() => new("Nothing may be changed in a read: use WriteAsync.");
}

/// <summary>Carries the rooms' parts to the context, and tells models of different parts apart.</summary>
internal sealed class StoreParts : IDbContextOptionsExtension
{
    public StoreParts(IReadOnlyList<IStorePart> all)
    {
        All = all;
        Key = string.Join(',', all.Select(part => part.GetType().FullName));
        Info = new PartsInfo(this);
    }

    public IReadOnlyList<IStorePart> All { get; }

    public string Key { get; }

    public DbContextOptionsExtensionInfo Info { get; }

    public void ApplyServices(IServiceCollection services)
    {
        // Nothing: the context reads the parts itself.
    }

    public void Validate(IDbContextOptions options)
    {
        // Nothing to judge: the parts are code.
    }

    private sealed class PartsInfo(StoreParts parts) : DbContextOptionsExtensionInfo(parts)
    {
        public override bool IsDatabaseProvider => false;

        public override string LogFragment => "";

        public override int GetServiceProviderHashCode() => 0;

        public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) => other is PartsInfo;

        public override void PopulateDebugInfo(IDictionary<string, string> debugInfo) => debugInfo["Groundcrew:Parts"] = parts.Key;
    }
}

/// <summary>One cached model for each set of parts, not one for the context type.</summary>
internal sealed class PartsModelKey : IModelCacheKeyFactory
{
    public object Create(DbContext context, bool designTime) => (context.GetType(), ((StoreContext)context).ModelKey, designTime);
}
