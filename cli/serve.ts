/**
 * `pesto serve [OPTION]... PATH`: forwards ports until it is told to stop.
 *
 * @module
 */

import type { Protocol, Rule } from "../codec/types.ts";
import { parseSpecifier } from "../codec/specifier.ts";
import { serve } from "../server.ts";
import type { BackendName } from "../sync/backends.ts";
import { type OptionSpec, parseArguments, UsageError } from "./arguments.ts";
import { ephemeralPorts } from "./ephemeral.ts";
import { EXIT, type ExitStatus } from "./exit_status.ts";
import { SERVE_HELP } from "./help.ts";
import { counted, type Output } from "./output.ts";

const SPECS: readonly OptionSpec[] = [
  { name: "target", value: "ADDRESS" },
  { name: "pif", value: "NAME=ADDRESS" },
  { name: "passt", value: "PATH" },
  { name: "tcp-ports", short: "t", value: "SPEC" },
  { name: "udp-ports", short: "u", value: "SPEC" },
  { name: "netns", value: "PATH|PID" },
  { name: "tcp-ns", short: "T", value: "SPEC" },
  { name: "udp-ns", short: "U", value: "SPEC" },
  { name: "backend", value: "NAME" },
  { name: "concurrency", value: "MODE" },
  { name: "state", value: "FILE" },
  { name: "transaction-timeout", value: "SECONDS" },
  { name: "help", short: "h" },
];

/** What a command line asks for. */
interface ServeArguments {
  readonly path: string;
  readonly passtPath?: string;
  readonly target?: string;
  readonly netns?: string;
  readonly backend?: BackendName;
  readonly concurrency?: (typeof CONCURRENCY)[number];
  readonly statePath?: string;
  readonly pifs: readonly { name: string; target: string }[];
  /** By pif name. */
  readonly rules: Readonly<Record<string, Rule[]>>;
  readonly transactionSeconds?: number;
}

const BACKENDS = ["linux", "portable"] as const satisfies readonly BackendName[];
const CONCURRENCY = ["optimistic", "exclusive"] as const;

/** Runs the command until SIGINT or SIGTERM; a second one ends the program at once. */
export async function serveCommand(args: readonly string[], output: Output): Promise<ExitStatus> {
  const parsed = read(args);
  if (parsed === "help") {
    output.print(SERVE_HELP);
    return EXIT.DONE;
  }
  const { path, rules, ...options } = parsed;
  const log = (message: string) => output.complain(message);
  using signals = new Signals();
  await using server = await serve({ ...options, path, rules, log });
  const paths = options.passtPath === undefined ? `"${path}"` : `"${path}", for passt's clients "${options.passtPath}"`;
  log(`Ready: control socket ${paths}, ${counted(server.ruleCount, "rule")}`);
  const reason = await Promise.race([signals.first, server.finished]);
  log(reason === undefined ? "Stopping" : `Stopping: ${reason}`);
  return EXIT.DONE;
}

function read(args: readonly string[]): ServeArguments | "help" {
  let path: string | undefined;
  let options: Omit<ServeArguments, "path" | "pifs" | "rules"> = {};
  const pifs: { name: string; target: string }[] = [];
  const rules: Record<string, Rule[]> = {};
  const specifier = (pif: "HOST" | "SPLICE", protocol: Protocol, text: string) => {
    // The server validates against what its backend can do; here everything may be asked for.
    const parsed = parseSpecifier(text, {
      protocol,
      ephemeral: ephemeralPorts(),
      loopbackOnly: pif === "SPLICE",
    });
    if (parsed.kind === "rules") (rules[pif] ??= []).push(...parsed.rules);
  };
  for (const argument of parseArguments(args, SPECS)) {
    if (argument.kind === "flag") return "help";
    const { value } = argument;
    if (argument.kind === "operand") {
      if (path !== undefined) throw new UsageError(`Can't take "${value}": PATH is already "${path}"`);
      path = value;
      continue;
    }
    switch (argument.name) {
      case "target":
        options = { ...options, target: value };
        break;
      case "pif": {
        const [name = "", target] = split(value, "=");
        if (name === "" || target === undefined) {
          throw new UsageError(`Can't take "--pif ${value}": it must be NAME=ADDRESS`);
        }
        pifs.push({ name, target });
        break;
      }
      case "passt":
        options = { ...options, passtPath: value };
        break;
      case "tcp-ports":
        specifier("HOST", "tcp", value);
        break;
      case "udp-ports":
        specifier("HOST", "udp", value);
        break;
      case "tcp-ns":
        specifier("SPLICE", "tcp", value);
        break;
      case "udp-ns":
        specifier("SPLICE", "udp", value);
        break;
      case "netns":
        options = { ...options, netns: value };
        break;
      case "backend":
        options = { ...options, backend: oneOf("--backend", value, BACKENDS) };
        break;
      case "concurrency":
        options = { ...options, concurrency: oneOf("--concurrency", value, CONCURRENCY) };
        break;
      case "state":
        options = { ...options, statePath: value };
        break;
      case "transaction-timeout":
        options = { ...options, transactionSeconds: number("--transaction-timeout", value, 1, 86400) };
        break;
    }
  }
  if (path === undefined) throw new UsageError("Can't serve: the PATH of a control socket must be given");
  if (rules["SPLICE"] !== undefined && options.netns === undefined) {
    throw new UsageError('Can\'t take "-T" or "-U": SPLICE listens in a network namespace, and --netns names none');
  }
  if (options.passtPath === path) {
    throw new UsageError(`Can't take "--passt ${path}": PATH is already "${path}", they must be two`);
  }
  return { ...options, path, pifs, rules };
}

function split(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

function oneOf<T extends string>(option: string, text: string, values: readonly T[]): T {
  const value = values.find((value) => value === text);
  if (value !== undefined) return value;
  throw new UsageError(`Can't take "${option} ${text}": it must be ${values.join(" or ")}`);
}

function number(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`Can't take "${option} ${text}": it must be a whole number from ${min} to ${max}`);
}

/** The signals that end a server. SIGHUP is taken and ignored: a terminal that goes away must not end it. */
class Signals implements Disposable {
  /** Resolves to the name of the first one. */
  readonly first: Promise<string>;
  readonly #handlers: (readonly [Deno.Signal, () => void])[];

  constructor() {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.first = promise;
    let seen = false;
    const stop = (signal: Deno.Signal) => () => {
      // Asked twice, it has no more patience.
      if (seen) Deno.exit(EXIT.REFUSED);
      seen = true;
      resolve(signal);
    };
    this.#handlers = [
      ["SIGINT", stop("SIGINT")],
      ["SIGTERM", stop("SIGTERM")],
      ["SIGHUP", () => {}],
    ];
    for (const [signal, handler] of this.#handlers) Deno.addSignalListener(signal, handler);
  }

  [Symbol.dispose](): void {
    for (const [signal, handler] of this.#handlers) Deno.removeSignalListener(signal, handler);
  }
}
