/**
 * What a server takes of the machine's memory: the resident set of its process, in MiB. Every figure of every round has a
 * server of its own, started for it by the Deno that runs this.
 *
 *     deno run -A tests/bench/memory_bench.ts [--short]
 *
 * - 65,535 rules: what is in use more than with one rule, garbage collected, in a program of its own; and what is resident,
 *   which has the garbage of their transaction in it. Scan rules that wait, since a process can't have a socket for each of
 *   so many
 * - 1,000 replacements: what is in use more after them than before, garbage collected, in a program of their own
 *   (`control/memory_in_use.ts`). Resident memory would tell V8's habits instead: in 2,500 replacements of 4,096 rules it rose
 *   once, by 32 MiB, between the 1,000th and the 1,500th, while what was in use stayed the same to 0.15 MiB all along
 * - 10,000 ports: one rule, a socket for each; what is taken more than with an empty table
 * - 5,000 idle connections: relayed, each of which has said one byte; what is taken more than with none
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
const ROUNDS = short ? 1 : 3;
const RULES = short ? 500 : 65535;
const REPLACED_RULES = short ? 100 : 1024;
/** Replacements before the first look, after which everything is allocated that is allocated once. */
const WARM_UP = short ? 1 : 200;
const REPLACEMENTS = short ? 3 : 1000;
const PORTS = short ? 50 : 10_000;
const FIRST_PORT = 20_000;
const CONNECTIONS = short ? 50 : 5000;
/** Milliseconds in which a process that has become idle tidies up. */
const SETTLE = short ? 0 : 1500;
const MIB = 2 ** 20;

const figures = {
  rules: [] as number[],
  rulesInUse: [] as number[],
  replacements: [] as number[],
  ports: [] as number[],
  connections: [] as number[],
};
for (let round = 0; round < ROUNDS; round++) {
  const replacing = inUse("replacements", REPLACED_RULES, WARM_UP, REPLACEMENTS);
  figures.rulesInUse.push(await inUse("rules", RULES));
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
  console.log(line(`${RULES} rules`, figures.rules, "MiB more"));
  console.log(line(`${PORTS} listening ports`, figures.ports, "MiB more", 15));
  console.log(line(`${CONNECTIONS} idle relayed connections`, figures.connections, "MiB more", 60));
  console.log("\nMemory in use");
  console.log(line(`${RULES} rules`, figures.rulesInUse, "MiB more", 16));
  console.log(
    line(`after ${REPLACEMENTS} replacements of ${REPLACED_RULES} rules`, figures.replacements, "MiB more", 1),
  );
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

/** MiB that a server has in use more, see `control/memory_in_use.ts`. */
async function inUse(what: "rules" | "replacements", ...numbers: readonly number[]): Promise<number> {
  const script = new URL("control/memory_in_use.ts", import.meta.url).pathname;
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", script, what, ...numbers.map(String)],
    stderr: "inherit",
  }).output();
  assert(success, "the memory in use could not be measured");
  return Number(new TextDecoder().decode(stdout)) / MIB;
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
