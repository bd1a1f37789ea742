using Xunit;

namespace Groundcrew.Shape.Tests;

/// <summary>The checks themselves: each must see what it is for, and leave the rest alone.</summary>
public sealed class CodeTextTests
{
    [Theory]
    [InlineData("try { A(); } catch { }", 1)]
    [InlineData("try { A(); } catch (Exception) { }", 1)]
    [InlineData("try { A(); } catch (System.Exception e) {\n  // a comment is not a reason to take everything\n}", 1)]
    [InlineData("try { A(); } catch (IOException)\n{\n}", 1)]
    [InlineData("try { A(); } catch (IOException) { /* it is gone already */ }", 0)]
    [InlineData("try { A(); } catch (Exception e) when (e is IOException) { /* gone */ }", 0)]
    [InlineData("try { A(); } catch (Exception e) { log.Write(e); }", 0)]
    [InlineData("// catch { }", 0)]
    [InlineData("var text = \"catch { }\";", 0)]
    public void A_catch_that_says_nothing_is_seen(string code, int expected) =>
        Assert.Equal(expected, CodeText.SilentCatches(code).Count());

    [Theory]
    [InlineData("File.WriteAllLines(path, lines);", 1)]
    [InlineData("File.AppendAllText(path, line);", 1)]
    [InlineData("using var s = new FileStream(path, FileMode.Append, FileAccess.Write);", 1)]
    [InlineData("using var s = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);", 1)]
    [InlineData("using var s = File.Create(path);", 1)]
    [InlineData("using var w = new StreamWriter(path);", 1)]
    [InlineData("using var w = new StreamWriter(stream);", 0)]
    [InlineData("using var s = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);", 0)]
    [InlineData("using var s = File.OpenRead(path);", 0)]
    [InlineData("/// See File.WriteAllText(path).", 0)]
    public void A_write_past_the_durable_way_is_seen(string code, int expected) =>
        Assert.Equal(expected, CodeText.FileWrites(code).Count());

    [Theory]
    [InlineData("// TO" + "DO: later", 1)]
    [InlineData("// FIX" + "ME", 1)]
    [InlineData("// TO" + "DO(#12): later", 0)]
    [InlineData("// The to-do list of a person.", 0)]
    public void A_note_without_an_issue_is_seen(string code, int expected) =>
        Assert.Equal(expected, CodeText.UnnumberedNotes(code).Count());

    [Theory]
    [InlineData("using Groundcrew.Journal;", true)]
    [InlineData("Journal.Store store;", true)]
    [InlineData("var journal = this.Journal.Id;", false)]
    [InlineData("// the Journal.", false)]
    [InlineData("using Groundcrew.Bedrock;", false)]
    public void A_use_of_a_room_is_seen(string code, bool expected) =>
        Assert.Equal(expected, CodeText.Names(code, "Journal"));
}
