/**
 * What a server takes of the machine's memory: the resident set of its process, in MiB. Every figure of every round has a
 * server of its own, started for it by the Deno that runs this.
 *
 *     deno run -A tests/bench/memory_bench.ts [--short]
 *
 * - 65,535 rules: what is taken more than with an empty table. Scan rules that wait, since a process can't have a socket
 *   for each of so many
 * - 1,000 more replacements: what is taken more after them than before, once WARM_UP others have let everything be
 *   allocated that is allocated once. What stays of each replaced table counts a thousand times: a table is 64 KiB, and the
 *   bar is met if not even 1 KiB of it stays. Rules with sockets, which stay: scan rules take five times as long
 * - 10,000 ports: one rule, a socket for each; what is taken more than with an empty table
 * - 5,000 idle connections: relayed, each of which has said one byte; what is taken more than with none
 *
 * The server whose tables are replaced has a young generation of a fixed size. V8 doubles it otherwise, when the load
 * happens to make it, and then lets more garbage gather. In 2,500 replacements of 4,096 rules that was +32 MiB between the
 * 1,000th and the 1,500th, and nothing after it, while what was in use after a collection stayed the same to 0.15 MiB all
 * along: 7.3 MiB of heap, 2.7 of buffers, 1.5 of the core's memory. The other servers have V8's habits, which count.
 *
 * Replacements go on while the other figures are taken: how long anything takes isn't measured. Each figure is the median
 * of ROUNDS. `--short` does one round with small numbers, and only asserts that it works. What an idle server takes beside
 * an empty program is in `start_bench.ts`.
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
const REPLACED_RULES = short ? 100 : 1024;
/** Replacements before the first look: resident memory climbs for the first 1,250, and then stays within 5 MiB. */
const WARM_UP = short ? 1 : 1500;
const REPLACEMENTS = short ? 3 : 1000;
const PORTS = short ? 50 : 10_000;
const FIRST_PORT = 20_000;
const FIRST_REPLACED_PORT = 10_000;
const CONNECTIONS = short ? 50 : 5000;
/** Milliseconds in which a process that has become idle tidies up. */
const SETTLE = short ? 0 : 1500;
/** V8's young generation with a size that stays: two halves of 1 MiB. */
const FIXED_YOUNG_GENERATION = "--v8-flags=--min-semi-space-size=1,--max-semi-space-size=1";
const MIB = 2 ** 20;

const figures = {
  rules: [] as number[],
  replacements: [] as number[],
  ports: [] as number[],
  connections: [] as number[],
};
for (let round = 0; round < ROUNDS; round++) {
  const replacing = measured(replacements);
  figures.rules.push(await measured(rules));
  figures.ports.push(await measured(ports));
  figures.connections.push(await measured(connections));
  figures.replacements.push(await replacing);
}
if (short) {
  assert(Object.values(figures).flat().every(Number.isFinite));
  console.log("Memory was measured");
} else {
  console.log(provenance());
  console.log(`Medians of ${ROUNDS}; in parentheses the lowest and the highest\n`);
  console.log("Resident memory of the server");
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
  const { path, pid } = await startServer(programs, "control", [FIXED_YOUNG_GENERATION]);
  const tables = ["127.0.0.1", "127.0.0.2"].map((target) =>
    Array.from({ length: REPLACED_RULES }, (_, index) => portRule(FIRST_REPLACED_PORT + index, target, 1))
  );
  const residentAfter = async (replacements: number) => {
    for (let count = 0; count < replacements; count++) await timedUpdate(path, tables[count % 2] ?? []);
    return await resident(pid);
  };
  const before = await residentAfter(WARM_UP);
  return (await residentAfter(REPLACEMENTS) - before) / MIB;
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
