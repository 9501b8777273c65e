/**
 * What a server takes of the machine's memory: resident set of its process, which is one for each figure and each round.
 *
 *     deno run -A tests/bench/memory_bench.ts [--short]
 *
 * - idle: beside a Deno program that does nothing
 * - 65,535 rules: scan rules that wait, since a process can't have a socket for each of so many; what is taken more than
 *   with an empty table
 * - 1,000 replacements: what is taken more after the second thousand than after the first, when everything that is
 *   allocated once has been; a table of fewer rules, for time's sake
 * - 10,000 ports: one rule, a socket for each
 * - 5,000 idle connections: relayed, each of which has said one byte
 *
 * Each is the median of ROUNDS. `--short` does one round with small numbers, and only asserts that it works.
 *
 * @module
 */

import type { Rule } from "../../codec/types.ts";
import { assert } from "../assert.ts";
import { freePort } from "../sync/harness.ts";
import { type MeasuredServer, portRule, startServer, timedUpdate, waitingRules } from "./control/server.ts";
import { line, provenance } from "./figures.ts";
import { delay } from "./relay/delay.ts";
import { listening, Programs } from "./relay/programs.ts";

const short = Deno.args.includes("--short");
const ROUNDS = short ? 1 : 5;
const RULES = short ? 500 : 65535;
const REPLACED_RULES = short ? 100 : 4096;
const REPLACEMENTS = short ? 3 : 1000;
const PORTS = short ? 50 : 10_000;
const FIRST_PORT = 20_000;
const CONNECTIONS = short ? 50 : 5000;
/** Milliseconds in which a process that has become idle tidies up. */
const SETTLE = short ? 0 : 1500;
const MIB = 2 ** 20;

const figures = {
  idle: [] as number[],
  rules: [] as number[],
  replacements: [] as number[],
  ports: [] as number[],
  connections: [] as number[],
};
for (let round = 0; round < ROUNDS; round++) {
  figures.idle.push(await measured(idleRatio));
  figures.rules.push(await measured(rules));
  figures.replacements.push(await measured(replacements));
  figures.ports.push(await measured(ports));
  figures.connections.push(await measured(connections));
}
if (short) {
  assert(Object.values(figures).flat().every(Number.isFinite));
  console.log("Memory was measured");
} else {
  console.log(provenance());
  console.log(`Medians of ${ROUNDS}; in parentheses the lowest and the highest\n`);
  console.log("Resident memory of the server");
  console.log(line("idle", figures.idle, "times that of an empty Deno program", 1.25));
  console.log(line(`${RULES} rules`, figures.rules, "MiB more", 16));
  console.log(
    line(`${REPLACEMENTS} more replacements of ${REPLACED_RULES} rules`, figures.replacements, "MiB more", 1),
  );
  console.log(line(`${PORTS} listening ports`, figures.ports, "MiB more", 15));
  console.log(line(`${CONNECTIONS} idle relayed connections`, figures.connections, "MiB more", 60));
}

/** One figure, with programs of its own. */
async function measured(measure: (programs: Programs) => Promise<number>): Promise<number> {
  await using programs = new Programs();
  return await measure(programs);
}

/** Bytes that are resident, once the process has had time to become quiet. */
async function resident(pid: number): Promise<number> {
  await delay(SETTLE);
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

async function idleRatio(programs: Programs): Promise<number> {
  const empty = programs.start(Deno.execPath(), [
    "run",
    programs.write("empty.ts", "setInterval(() => {}, 3_600_000);"),
  ]);
  const server = await startServer(programs, "control");
  return await resident(server.pid) / await resident(empty);
}

/** How many MiB more a server takes after an update than before. */
async function added(server: MeasuredServer, table: readonly Rule[]): Promise<number> {
  await timedUpdate(server.path, []);
  const before = await resident(server.pid);
  await timedUpdate(server.path, table);
  return (await resident(server.pid) - before) / MIB;
}

async function rules(programs: Programs): Promise<number> {
  return await added(await startServer(programs, "control"), waitingRules(RULES, "127.0.0.1"));
}

async function replacements(programs: Programs): Promise<number> {
  const { path, pid } = await startServer(programs, "control");
  const tables = ["127.0.0.1", "127.0.0.2"].map((target) => waitingRules(REPLACED_RULES, target));
  const thousand = async () => {
    for (let count = 0; count < REPLACEMENTS; count++) await timedUpdate(path, tables[count % 2] ?? []);
    return await resident(pid);
  };
  const before = await thousand();
  return (await thousand() - before) / MIB;
}

async function ports(programs: Programs): Promise<number> {
  const rule = { ...portRule(FIRST_PORT, "127.0.0.1", 1), lastPort: FIRST_PORT + PORTS - 1 };
  return await added(await startServer(programs, "control"), [rule]);
}

async function connections(programs: Programs): Promise<number> {
  const [port, targetPort] = [await freePort("tcp"), await freePort("tcp")];
  const script = ["run", "-A", "--no-check", new URL("control/idle_connections.ts", import.meta.url).pathname];
  programs.start(Deno.execPath(), [...script, "target", `${targetPort}`]);
  await listening(targetPort);
  const { path, pid } = await startServer(programs, "control");
  await timedUpdate(path, [portRule(port, "127.0.0.1", targetPort)]);
  const before = await resident(pid);
  const clients = new Deno.Command(Deno.execPath(), {
    args: [...script, "clients", `${port}`, `${CONNECTIONS}`],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  try {
    const { value } = await clients.stdout.getReader().read();
    assert(value !== undefined, "the connections could not be made");
    return (await resident(pid) - before) / MIB;
  } finally {
    clients.kill("SIGKILL");
    await clients.status;
  }
}
