/**
 * What a command line of `pesto [OPTION]... PATH` asks for.
 *
 * @module
 */

import type { Protocol } from "../codec/types.ts";
import { type Argument, hasFlag, onlyPath, parseArguments, UsageError, wholeNumber } from "./arguments.ts";
import type { EditStep } from "./edit.ts";
import { HELP, PROGRAM_VERSION } from "./help.ts";
import { UPDATE_OPTIONS } from "./options.ts";

/** What a command line asks for. */
export interface Wanted {
  readonly kind: "wanted";
  /** The control socket. */
  readonly path: string;
  readonly steps: readonly EditStep[];
  /** Whether there is an update in the steps, and not just what updates would be like. */
  readonly changes: boolean;
  readonly show: boolean;
  readonly json: boolean;
  readonly check: boolean;
  readonly ensure: boolean;
  readonly verify: boolean;
  readonly debug: boolean;
  /** How long to wait for a confirmation; absent if none is wanted. */
  readonly confirmSeconds?: number;
}

/** All that a command line wants is a text. */
export interface WantedText {
  readonly kind: "text";
  readonly text: string;
}

/** Which pif and protocol a specifier's option is about. */
const SPECIFIERS: Readonly<Record<string, { pif: string; protocol: Protocol }>> = {
  "tcp-ports": { pif: "HOST", protocol: "tcp" },
  "udp-ports": { pif: "HOST", protocol: "udp" },
  "tcp-ns": { pif: "SPLICE", protocol: "tcp" },
  "udp-ns": { pif: "SPLICE", protocol: "udp" },
};

/** A day; servers have a limit of their own. */
const MAX_CONFIRM_SECONDS = 86400;

/**
 * Reads the command line.
 *
 * @throws {UsageError} if it can't be read, or asks for what doesn't go together
 */
export function readWanted(args: readonly string[]): Wanted | WantedText {
  const parsed = parseArguments(args, UPDATE_OPTIONS);
  const has = (name: string) => hasFlag(parsed, name);
  if (has("help")) return { kind: "text", text: HELP };
  if (has("version")) return { kind: "text", text: `pesto ${PROGRAM_VERSION}\n` };
  const path = onlyPath(parsed);
  const steps = parsed.flatMap(stepOf);
  const changes = steps.some(({ kind }) => kind !== "mode");
  const confirm = parsed.findLast((argument) => argument.kind === "option" && argument.name === "confirm");
  const [show, check, ensure] = [has("show"), has("check"), has("ensure")];
  if (check && !changes) throw new UsageError('Can\'t take "--check": there is no change to check');
  if (check && show) throw new UsageError('Can\'t take "--show" with "--check": the tables stay as they are');
  if (confirm !== undefined && !changes) throw new UsageError('Can\'t take "--confirm": there is no change to confirm');
  if (confirm !== undefined && check) {
    throw new UsageError('Can\'t take "--confirm" with "--check": the tables stay as they are');
  }
  if (ensure && !steps.some(({ kind }) => kind === "mode")) {
    throw new UsageError('Can\'t take "--ensure": it goes with "-A" or "-D"');
  }
  return {
    kind: "wanted",
    path,
    steps,
    changes,
    show,
    check,
    ensure,
    json: has("json"),
    verify: !has("no-verify"),
    debug: has("debug"),
    ...(confirm?.kind === "option" && {
      confirmSeconds: wholeNumber("--confirm", confirm.value, 1, MAX_CONFIRM_SECONDS),
    }),
  };
}

function stepOf(argument: Argument): EditStep[] {
  if (argument.kind === "operand") return [];
  const { name } = argument;
  if (name === "add" || name === "delete") return [{ kind: "mode", mode: name }];
  if (argument.kind === "flag") return [];
  if (name === "clear") return [{ kind: "clear", pif: argument.value }];
  const specifier = SPECIFIERS[name];
  return specifier === undefined ? [] : [{ kind: "specifier", ...specifier, text: argument.value }];
}
