using System.CommandLine;
using Groundcrew.Cli.Calling;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew completion</c>: a few lines for a shell; the words come from <c>crew [suggest]</c>, which is given the line without its program.</summary>
internal static class CompletionVerb
{
    public static Verb Of(CrewRoot root)
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish." };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        return new Verb("completion", "Write the lines that complete verbs and options in a shell.", "crew completion bash > ~/.local/share/bash-completion/completions/crew",
            "crew completion zsh > ~/.zfunc/_crew", "crew completion fish > ~/.config/fish/completions/crew.fish")
        { Group = Groups.Write }
            .With(shell)
            .Does(root, call =>
            {
                call.Out.Writer.Write(call.Value(shell) switch { "bash" => Bash, "zsh" => Zsh, _ => Fish });
                return Task.FromResult(ExitCode.Ok);
            });
    }

    private const string Bash = """
        _crew() {
          local IFS=$'\n' line="${COMP_LINE#* }"
          local point=$((COMP_POINT - ${#COMP_LINE} + ${#line}))
          COMPREPLY=($(compgen -W "$(crew "[suggest:${point}]" "${line}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o default -F _crew crew

        """;

    private const string Zsh = """
        #compdef crew
        _crew() {
          local -a words_found
          local line="${LBUFFER#* }"
          words_found=("${(@f)$(crew "[suggest:$#line]" "$line" 2>/dev/null)}")
          compadd -a words_found
          _files
        }
        compdef _crew crew

        """;

    private const string Fish = """
        function __crew_words
          set -l line (commandline -cp | string replace -r '^\S+\s*' '')
          crew "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
        end
        complete -c crew -a '(__crew_words)'

        """;
}
