/**
 * `pesto serve [OPTION]... PATH`: forwards ports until it is told to stop.
 *
 * @module
 */

import type { Protocol, Rule } from "../codec/types.ts";
import { parseSpecifier } from "../codec/specifier.ts";
import { type MayUpdate, serve } from "../server.ts";
import type { BackendName } from "../sync/backends.ts";
import { MAX_UID } from "../sync/editors.ts";
import { parseArguments, UsageError, wholeNumber } from "./arguments.ts";
import { ephemeralPorts } from "./ephemeral.ts";
import { EXIT, type ExitStatus } from "./exit_status.ts";
import { SERVE_HELP } from "./help.ts";
import { BACKENDS, CONCURRENCY, SERVE_OPTIONS } from "./options.ts";
import type { Output } from "./output.ts";
import { counted } from "./quantities.ts";
import { Signals } from "./signals.ts";
import { Supervisor } from "./supervisor.ts";

/** What a command line asks for. */
interface ServeArguments {
  readonly path: string;
  readonly passtPath?: string;
  readonly passtVersion?: 1 | 2;
  readonly target?: string;
  readonly netns?: string;
  readonly backend?: BackendName;
  readonly concurrency?: (typeof CONCURRENCY)[number];
  readonly statePath?: string;
  readonly pifs: readonly { name: string; target: string }[];
  /** By pif name. */
  readonly rules: Readonly<Record<string, Rule[]>>;
  readonly transactionSeconds?: number;
  readonly mayUpdate?: MayUpdate;
  readonly readyDescriptor?: number;
}

/** The greatest number that a descriptor can have; the first three are the standard streams. */
const MAX_DESCRIPTOR = 2 ** 31 - 1;

/** Runs the command until SIGINT or SIGTERM; a second one ends the program at once. */
export async function serveCommand(args: readonly string[], output: Output): Promise<ExitStatus> {
  const parsed = read(args);
  if (parsed === "help") {
    output.print(SERVE_HELP);
    return EXIT.DONE;
  }
  const { path, rules, readyDescriptor, ...options } = parsed;
  const log = (message: string) => output.complain(message);
  const supervisor = new Supervisor(readyDescriptor, log);
  // Asked twice, it has no more patience. A terminal that goes away must not end it.
  using signals = new Signals({ ending: ["SIGINT", "SIGTERM"], ignored: ["SIGHUP"], impatient: EXIT.REFUSED });
  await using server = await serve({ ...options, path, rules, log });
  const paths = options.passtPath === undefined ? `"${path}"` : `"${path}", for passt's clients "${options.passtPath}"`;
  log(`Ready: control socket ${paths}, ${counted(server.ruleCount, "rule")}`);
  await supervisor.ready(path);
  const reason = await Promise.race([signals.first, server.finished]);
  log(reason === undefined ? "Stopping" : `Stopping: ${reason}`);
  await supervisor.stopping();
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
  for (const argument of parseArguments(args, SERVE_OPTIONS)) {
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
      case "passt-version":
        options = { ...options, passtVersion: wholeNumber("--passt-version", value, 1, 2) === 1 ? 1 : 2 };
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
      case "allow-uid":
        options = { ...options, mayUpdate: value === "any" ? "anyone" : alsoAllowed(options.mayUpdate, value) };
        break;
      case "ready-fd":
        options = { ...options, readyDescriptor: wholeNumber("--ready-fd", value, 3, MAX_DESCRIPTOR) };
        break;
      case "transaction-timeout":
        options = { ...options, transactionSeconds: wholeNumber("--transaction-timeout", value, 1, 86400) };
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

/** The users that were allowed before, and one more. */
function alsoAllowed(mayUpdate: MayUpdate | undefined, text: string): MayUpdate {
  const uid = wholeNumber("--allow-uid", text, 0, MAX_UID);
  if (mayUpdate === "anyone") return mayUpdate;
  return [...Array.isArray(mayUpdate) ? mayUpdate : [], uid];
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
