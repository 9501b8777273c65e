/**
 * `pesto completions SHELL`: what a shell needs to complete pesto's arguments, made from the tables of options.
 *
 * @module
 */

import { hasFlag, parseArguments, UsageError } from "./arguments.ts";
import { EXIT, type ExitStatus } from "./exit_status.ts";
import { COMPLETIONS_HELP } from "./help.ts";
import {
  COMMANDS,
  COMPLETIONS_OPTIONS,
  type Option,
  SERVE_OPTIONS,
  SETTLE_OPTIONS,
  SHELLS,
  UPDATE_OPTIONS,
} from "./options.ts";
import type { Output } from "./output.ts";

type Shell = (typeof SHELLS)[number];

/** What may follow the first word of a command line. */
interface Follows {
  /** The first word; empty for any that isn't a command. */
  readonly command: string;
  readonly options: readonly Option[];
  /** The words that an operand is one of; absent for a path. */
  readonly words?: readonly string[];
}

/** Typed by the commands, so that a new one can't be forgotten. */
const OPTIONS: Readonly<Record<(typeof COMMANDS)[number]["name"], Omit<Follows, "command">>> = {
  confirm: { options: SETTLE_OPTIONS },
  rollback: { options: SETTLE_OPTIONS },
  serve: { options: SERVE_OPTIONS },
  completions: { options: COMPLETIONS_OPTIONS, words: SHELLS },
};

const FOLLOWS: readonly Follows[] = [
  ...COMMANDS.map(({ name }) => ({ command: name, ...OPTIONS[name] })),
  { command: "", options: UPDATE_OPTIONS },
];

/** Runs the command. */
export function completionsCommand(args: readonly string[], output: Output): ExitStatus {
  const parsed = parseArguments(args, COMPLETIONS_OPTIONS);
  if (hasFlag(parsed, "help")) {
    output.print(COMPLETIONS_HELP);
    return EXIT.DONE;
  }
  const operands = parsed.flatMap((argument) => argument.kind === "operand" ? [argument.value] : []);
  const [word, extra] = operands;
  const shell = SHELLS.find((shell) => shell === word);
  if (shell === undefined || extra !== undefined) {
    throw new UsageError(`Can't take "${operands.join(" ")}": it must be one of ${SHELLS.join(", ")}`);
  }
  output.print(completionScript(shell));
  return EXIT.DONE;
}

/** The script that the shell is to run at its start. */
export function completionScript(shell: Shell): string {
  switch (shell) {
    case "bash":
      return bashScript();
    case "zsh":
      return zshScript();
    case "fish":
      return fishScript();
    default:
      return shell satisfies never;
  }
}

function bashScript(): string {
  const valueCases = (options: readonly Option[]) =>
    options.filter(({ value }) => value !== undefined).map(({ name, short, words, path }) => {
      const pattern = short === undefined ? `--${name}` : `-${short} | --${name}`;
      const values = words !== undefined ? `-W "${words.join(" ")}"` : path ? "-f" : "";
      return `        ${pattern}) ${values === "" ? "" : `COMPREPLY=($(compgen ${values} -- "$word")); `}return ;;`;
    }).join("\n");
  const branch = ({ command, options, words }: Follows) => {
    const names = options.flatMap(({ name, short }) =>
      short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`]
    );
    const values = valueCases(options);
    return `    ${command === "" ? "*" : command})
${values === "" ? "" : `      case "$before" in\n${values}\n      esac\n`}      options="${names.join(" ")}"
      operands="${words?.join(" ") ?? ""}" ;;`;
  };
  return `# pesto, for bash
_pesto() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}" command="" options operands
  if ((COMP_CWORD > 1)); then command="\${COMP_WORDS[1]}"; fi
  COMPREPLY=()
  case "$command" in
${FOLLOWS.map(branch).join("\n")}
  esac
  if ((COMP_CWORD == 1)); then operands="${COMMANDS.map(({ name }) => name).join(" ")}"; fi
  if [[ "$word" == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  else
    COMPREPLY=($(compgen -W "$operands" -- "$word"))
    if ((COMP_CWORD == 1)) || [[ -z "$operands" ]]; then COMPREPLY+=($(compgen -f -- "$word")); fi
  fi
}
complete -o filenames -F _pesto pesto
`;
}

function zshScript(): string {
  const spec = ({ name, short, value, words, path, help }: Option) => {
    const names = short === undefined ? `--${name}` : `{-${short},--${name}}`;
    const action = words !== undefined ? `(${words.join(" ")})` : path ? "_files" : " ";
    const text = zshQuoted(oneLine(help));
    const tail = value === undefined ? "" : `:${value}:${action}`;
    // Most options may be repeated, and those that may not do no harm.
    return short === undefined ? `'*${names}[${text}]${tail}'` : `'*'${names}'[${text}]${tail}'`;
  };
  const branch = ({ command, options, words }: Follows) => {
    const operand = words === undefined ? `'*:PATH:_files'` : `'1: :(${words.join(" ")})'`;
    const lines = [...options.map(spec), operand].map((line) => `        ${line}`).join(" \\\n");
    return `    ${command === "" ? "*" : command})\n      _arguments -s -S \\\n${lines} ;;`;
  };
  const commands = COMMANDS.map(({ name, help }) => `'${name}:${zshQuoted(help)}'`).join(" ");
  return `#compdef pesto
# pesto, for zsh
_pesto() {
  local -a commands=(${commands})
  if ((CURRENT == 2)) && [[ "$words[2]" != -* ]]; then
    _describe command commands
    _files
    return
  fi
  local command="$words[2]"
  case "$command" in
    ${COMMANDS.map(({ name }) => name).join(" | ")}) shift words; ((CURRENT--)) ;;
  esac
  case "$command" in
${FOLLOWS.map(branch).join("\n")}
  esac
}
if [[ "$funcstack[1]" == _pesto ]]; then _pesto "$@"; else compdef _pesto pesto; fi
`;
}

function fishScript(): string {
  const names = COMMANDS.map(({ name }) => name).join(" ");
  const condition = (command: string) =>
    command === "" ? `not __fish_seen_subcommand_from ${names}` : `__fish_seen_subcommand_from ${command}`;
  const line = (command: string, { name, short, value, words, path, help }: Option) =>
    [
      `complete -c pesto -n '${condition(command)}'`,
      ...short === undefined ? [] : [`-s ${short}`],
      `-l ${name}`,
      ...value === undefined ? [] : [path ? "-r -F" : "-x"],
      ...words === undefined ? [] : [`-a '${words.join(" ")}'`],
      `-d '${fishQuoted(oneLine(help))}'`,
    ].join(" ");
  return [
    "# pesto, for fish",
    ...COMMANDS.map(({ name, help }) =>
      `complete -c pesto -n __fish_use_subcommand -a ${name} -d '${fishQuoted(help)}'`
    ),
    ...FOLLOWS.flatMap(({ command, options, words }) => [
      ...options.map((option) => line(command, option)),
      ...words === undefined ? [] : [`complete -c pesto -f -n '${condition(command)}' -a '${words.join(" ")}'`],
    ]),
    "",
  ].join("\n");
}

function oneLine(help: string): string {
  return help.trimStart().replaceAll("\n", " ");
}

/** For the inside of single quotes and of the brackets that zsh puts descriptions in. */
function zshQuoted(text: string): string {
  return text.replaceAll("'", `'\\''`).replaceAll(/[[\]:]/g, "\\$&");
}

/** For the inside of single quotes. */
function fishQuoted(text: string): string {
  return text.replaceAll(/['\\]/g, "\\$&");
}
