/**
 * The options of every command, each with its line of the help text. What a command takes, what it says of itself and
 * what a shell completes come from here.
 *
 * @module
 */

import type { OptionSpec } from "./arguments.ts";

/** An option as the help text shows it. */
export interface Option extends OptionSpec {
  /** What it does; lines after the first are continued below it. */
  readonly help: string;
  /** The words that its value is one of; absent where it may be another. */
  readonly words?: readonly string[];
  /** Whether its value is a path, or may be one. */
  readonly path?: true;
}

const SPEC = "SPEC";
const HELP_OPTION: Option = { name: "help", short: "h", help: "show this text" };
const JSON_OPTION: Option = { name: "json", help: "print for programs" };

/** Options of `pesto [OPTION]... PATH`. */
export const UPDATE_OPTIONS: readonly Option[] = [
  { name: "tcp-ports", short: "t", value: SPEC, help: "forward TCP ports of HOST" },
  { name: "udp-ports", short: "u", value: SPEC, help: "forward UDP ports of HOST" },
  { name: "tcp-ns", short: "T", value: SPEC, help: "forward TCP ports of SPLICE" },
  { name: "udp-ns", short: "U", value: SPEC, help: "forward UDP ports of SPLICE" },
  { name: "add", short: "A", help: "what follows is added to the table" },
  { name: "delete", short: "D", help: "what follows is deleted from the table" },
  {
    name: "clear",
    short: "C",
    value: "PIF",
    words: ["HOST", "SPLICE"],
    help: "empty the table of PIF",
  },
  { name: "ensure", help: "with -A or -D: a rule that is there already, or gone already, is fine" },
  { name: "show", short: "s", help: "show the tables before and after" },
  JSON_OPTION,
  {
    name: "check",
    help: "say what would be added (+), deleted (-) and served otherwise (~), and whether it would\n" +
      "work; change nothing",
  },
  {
    name: "confirm",
    value: "SECONDS",
    help: "apply, and keep it only if that is confirmed in time: by Enter, or by pesto confirm;\n" +
      "otherwise, also when the terminal goes away, the old table comes back by itself",
  },
  { name: "no-verify", help: "don't look for the sockets of rules that a passt or pasta server has taken" },
  { name: "debug", short: "d", help: "say on standard error what is going on" },
  HELP_OPTION,
  { name: "version", help: "show the version" },
];

/** Options of `pesto confirm` and `pesto rollback`. */
export const SETTLE_OPTIONS: readonly Option[] = [JSON_OPTION, HELP_OPTION];

/** Options of `pesto completions`. */
export const COMPLETIONS_OPTIONS: readonly Option[] = [HELP_OPTION];

/** Names of the socket backends. */
export const BACKENDS = ["linux", "portable"] as const;
/** How a server deals with clients that come at the same time. */
export const CONCURRENCY = ["optimistic", "exclusive"] as const;

/** Options of `pesto serve`. */
export const SERVE_OPTIONS: readonly Option[] = [
  { name: "target", value: "ADDRESS", help: "where rules without a target of their own go (127.0.0.1)" },
  { name: "pif", value: "NAME=ADDRESS", help: "one more pif, with its default target" },
  {
    name: "passt",
    value: "PATH",
    path: true,
    help: "one more control socket, for programs that speak to passt or pasta",
  },
  {
    name: "passt-version",
    value: "N",
    help: "the version of their protocol: 2, the default, or 1, without target addresses",
  },
  { name: "tcp-ports", short: "t", value: SPEC, help: "forward TCP ports of HOST from the start" },
  { name: "udp-ports", short: "u", value: SPEC, help: "forward UDP ports of HOST from the start" },
  {
    name: "netns",
    value: "PATH|PID",
    path: true,
    help: "network namespace of the targets: HOST connects inside it, and SPLICE, one more pif, listens\n" +
      "there and connects out here",
  },
  { name: "tcp-ns", short: "T", value: SPEC, help: "forward TCP ports of SPLICE from the start" },
  { name: "udp-ns", short: "U", value: SPEC, help: "forward UDP ports of SPLICE from the start" },
  {
    name: "backend",
    value: "NAME",
    words: BACKENDS,
    help: "linux: the system's own sockets, the default where it works; portable: Deno's",
  },
  {
    name: "concurrency",
    value: "MODE",
    words: CONCURRENCY,
    help: "optimistic: clients are served side by side, and an edit of a table that is no longer in\n" +
      "force is refused as stale, the default; exclusive: one after the other",
  },
  {
    name: "state",
    value: "FILE",
    path: true,
    help: "keep the committed tables in FILE, and start with them; -t, -u, -T and -U are for the first\n" +
      "start, when there is no FILE yet",
  },
  {
    name: "allow-uid",
    value: "UID",
    help: "a user that may change the rules, beside root and the server's own, if the mode of the\n" +
      "control socket's file lets it connect; any: all whom that lets connect",
  },
  {
    name: "ready-fd",
    value: "N",
    help: "write a newline to file descriptor N and close it when all sockets stand",
  },
  { name: "transaction-timeout", value: "SECONDS", help: "\nhow long one client may take to update the table (60)" },
  HELP_OPTION,
];

/** Shells that can be told what to complete. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** The words that may stand in the place of the first argument, and what each does. */
export const COMMANDS = [
  { name: "confirm", operands: "[--json] PATH", help: "keep the table that waits there to be confirmed" },
  { name: "rollback", operands: "[--json] PATH", help: "bring the old table back there instead" },
  { name: "serve", operands: "[OPTION]... PATH", help: "forward ports, and make a control socket at PATH" },
  {
    name: "completions",
    operands: SHELLS.join("|"),
    help: "print what that shell needs to complete pesto's arguments",
  },
] as const;

/** Where the text of an option's line begins. */
const COLUMN = 27;

/** The lines of a help text that are about these options. */
export function optionLines(options: readonly Option[]): string {
  return options.map(({ name, short, value, help }) => {
    const head = `  ${short === undefined ? "    " : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`;
    const [first = "", ...more] = help.split("\n");
    return [`${head.padEnd(COLUMN)}${first}`.trimEnd(), ...more.map((line) => " ".repeat(COLUMN) + line)].join("\n");
  }).join("\n");
}
