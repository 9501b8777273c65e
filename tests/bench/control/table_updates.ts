/**
 * A worker that replaces a server's table as often as it is told to, every other time by one with another target.
 *
 * @module
 */

import { parentPort } from "node:worker_threads";
import { portRule, timedUpdate, waitingRules } from "./server.ts";

/** What the worker is sent; it answers with nothing when it is done. */
export interface TableUpdates {
  /** Path of the control socket. */
  readonly path: string;
  /** How many rules each table has. */
  readonly rules: number;
  /** Scan rules that wait; or rules with sockets, which stay. Scan rules take ten times as long: the kernel's lists are read. */
  readonly kind: "waiting" | "bound";
  /** How many updates. */
  readonly count: number;
}

/** Below the kernel's usual range for outgoing connections. */
const FIRST_PORT = 10_000;

parentPort?.on("message", async ({ path, rules, kind, count }: TableUpdates) => {
  const tables = ["127.0.0.1", "127.0.0.2"].map((target) =>
    kind === "waiting"
      ? waitingRules(rules, target)
      : Array.from({ length: rules }, (_, index) => portRule(FIRST_PORT + index, target, 1))
  );
  for (let done = 0; done < count; done++) await timedUpdate(path, tables[done % 2] ?? []);
  parentPort?.postMessage(undefined);
});
