/**
 * The server that the benchmarks of the control path measure, in a process of its own.
 *
 * @module
 */

import { connect, look } from "../../../client.ts";
import { PestoError } from "../../../codec/errors.ts";
import type { Rule } from "../../../codec/types.ts";
import { delay } from "../relay/delay.ts";
import type { Programs } from "../relay/programs.ts";

const CLI = new URL("../../../cli.ts", import.meta.url).pathname;
/** Milliseconds that a server may take to answer. */
const START = 20_000;

/** A server of a process of its own. */
export interface MeasuredServer {
  /** Process id. */
  readonly pid: number;
  /** Path of its control socket. */
  readonly path: string;
}

/** Starts a server, and resolves when it answers. */
export async function startServer(programs: Programs, name: string): Promise<MeasuredServer> {
  const path = `${programs.directory}/${name}`;
  const pid = programs.start(Deno.execPath(), ["run", "-A", "--no-check", CLI, "serve", path]);
  for (const end = performance.now() + START; performance.now() < end; await delay(20)) {
    try {
      await look(path);
      return { pid, path };
    } catch (error) {
      if (!(error instanceof PestoError) || error.code !== "unreachable") throw error;
    }
  }
  throw new Error(`Can't measure: the server doesn't answer at "${path}" after ${START} ms`);
}

/** Replaces HOST's rules in a session of its own; milliseconds from the call to its result. */
export async function timedUpdate(path: string, rules: readonly Rule[]): Promise<number> {
  using session = await connect(path);
  const start = performance.now();
  await session.update({ HOST: rules });
  return performance.now() - start;
}

/** A rule of one TCP port of 127.0.0.1. */
export function portRule(port: number, target: string, targetPort: number, scan = false): Rule {
  return {
    protocol: "tcp",
    address: "127.0.0.1",
    firstPort: port,
    lastPort: port,
    target,
    targetPort,
    weak: false,
    scan,
  };
}

/**
 * Rules of one port each that take no socket: nothing in the target listens on ports 1 and 2. More rules with sockets than a
 * process may have open files can't be measured.
 */
export function waitingRules(count: number, target: string): Rule[] {
  return Array.from({ length: count }, (_, index) => portRule(index + 1, target, index === 0 ? 2 : 1, true));
}
