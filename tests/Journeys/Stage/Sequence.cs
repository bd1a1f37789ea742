using Xunit;

// Each class has a whole platform on this machine: one after the other.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
