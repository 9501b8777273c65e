/**
 * How long it takes to replace a table through an open session, from the call to its result, when no socket changes; and
 * what a relayed connection feels of it: beside what it feels while nothing else happens, and while this process, which is
 * busy with making and sending tables otherwise, is as busy with something that is none of the server's business.
 *
 *     deno run -A tests/bench/transaction_bench.ts [--short]
 *
 * The server has a process of its own, the round trips have another. Tables alternate between two targets, so every rule
 * changes its route. The large table is of scan rules that wait, because a process can't have a socket for each of so
 * many; so there is another measurement of the same step with rules of which each has a socket, for which the forwarder
 * runs in this process, with a backend that has none: validate, apply, commit, and the longest time that the event loop
 * was held up. `--short` does each once, with small tables, and only asserts that it works.
 *
 * @module
 */

import { RuleTable } from "../../codec/table.ts";
import type { Rule } from "../../codec/types.ts";
import { Forwarder } from "../../sync/forwarder.ts";
import { assert } from "../assert.ts";
import { freeRow } from "../free_port.ts";
import { freePort } from "../sync/harness.ts";
import { BareBackend } from "./control/bare_backend.ts";
import { portRule, startServer, timedUpdate, waitingRules } from "./control/server.ts";
import { LoopWatch } from "./control/loop_watch.ts";
import { RoundTrips } from "./control/round_trip_client.ts";
import { line, provenance } from "./figures.ts";
import { Programs } from "./relay/programs.ts";

const short = Deno.args.includes("--short");
const SMALL = 255;
const LARGE = short ? 500 : 65535;
/** As many of the small table count as fresh, while V8 is still compiling what is run often, and as many after them. */
const SMALL_ROUNDS = short ? 2 : 300;
const LARGE_ROUNDS = short ? 2 : 21;
/** Updates that come before, until everything has run a few times. */
const WARM_UP = short ? 0 : 5;
const TARGETS = ["127.0.0.1", "127.0.0.2"] as const;

interface Figures {
  readonly updates: number[];
  readonly trips: number[];
}

await using programs = new Programs();
const figures = {
  small: await small(),
  large: await large(),
  forwarder: await inProcess(),
};
if (short) {
  assert(figures.small.updates.length === 2 * SMALL_ROUNDS && figures.large.trips.length === LARGE_ROUNDS);
  console.log("Tables were replaced, and round trips went on");
} else {
  const { small, large, forwarder } = figures;
  console.log(provenance());
  console.log(`Medians of ${SMALL_ROUNDS} and ${LARGE_ROUNDS}; in parentheses the lowest and the highest\n`);
  console.log("Replacing a table through an open session, no socket changed");
  console.log(line(`${SMALL} rules`, small.updates.slice(SMALL_ROUNDS), "ms", 1));
  console.log(
    line(
      `${SMALL} rules, the first ${SMALL_ROUNDS} updates of both programs`,
      small.updates.slice(0, SMALL_ROUNDS),
      "ms",
    ),
  );
  console.log(line(`${LARGE} rules`, large.updates, "ms", 80));
  console.log(line(`longest relayed round trip beside each of the ${LARGE}`, large.trips, "ms", 5));
  console.log(line("longest relayed round trip in as much time without", large.quiet, "ms"));
  console.log(line("longest relayed round trip while this process is as busy with something else", large.busy, "ms"));
  console.log("\nThe forwarder alone, a socket for each rule");
  console.log(line(`${LARGE} rules`, forwarder.updates, "ms"));
  console.log(line("longest hold-up of the event loop", forwarder.trips, "ms", 5));
}

/** Rules with a socket each. */
async function small(): Promise<Figures> {
  const first = freeRow(SMALL);
  const tables = TARGETS.map((target) =>
    Array.from({ length: SMALL }, (_, index) => portRule(first + index, target, 9))
  );
  const { path } = await startServer(programs, "small");
  return await measure(WARM_UP + 2 * SMALL_ROUNDS, WARM_UP, tables, (rules) => timedUpdate(path, rules));
}

/** Rules that wait, but for the one that relays the round trips. */
async function large(): Promise<Figures & { readonly quiet: number[]; readonly busy: number[] }> {
  const [port, targetPort] = [await freePort("tcp"), await freePort("tcp")];
  const relayed = portRule(port, "127.0.0.1", targetPort);
  const tables = TARGETS.map((target) => [
    relayed,
    ...waitingRules(LARGE, target).filter(({ firstPort }) => firstPort !== port),
  ]);
  const { path } = await startServer(programs, "large");
  await timedUpdate(path, [relayed]);
  await using trips = await RoundTrips.start(port, targetPort);
  const quiet: number[] = [];
  const busy: number[] = [];
  const result = await measure(WARM_UP + LARGE_ROUNDS, WARM_UP, tables, async (rules) => {
    await trips.longest();
    const time = await timedUpdate(path, rules);
    return time;
  }, () => trips.longest());
  for (let round = 0; round < LARGE_ROUNDS; round++) {
    const time = result.updates[round] ?? 0;
    await trips.longest();
    await new Promise((resolve) => setTimeout(resolve, time));
    quiet.push(await trips.longest());
    for (const end = performance.now() + time; performance.now() < end;);
    busy.push(await trips.longest());
  }
  return { ...result, quiet, busy };
}

/** The forwarder in this process. */
async function inProcess(): Promise<Figures> {
  const backend = new BareBackend();
  await using forwarder = new Forwarder([{ id: 1, name: "HOST", backend, sameNamespace: false }]);
  const rules = TARGETS.map((target) => Array.from({ length: LARGE }, (_, index) => portRule(index + 1, target, 9)));
  using watch = new LoopWatch();
  return await measure(WARM_UP + LARGE_ROUNDS, WARM_UP, rules, async (rules) => {
    const tables = new Map([[1, RuleTable.of(rules)]]);
    await watch.longest();
    const start = performance.now();
    assert((await forwarder.validate(tables)).kind === "valid");
    await (await forwarder.apply(tables)).commit();
    return performance.now() - start;
  }, () => watch.longest());
}

/** Times so many updates, alternating between the tables, the first few left out. */
async function measure(
  rounds: number,
  warmUp: number,
  tables: readonly (readonly Rule[])[],
  update: (rules: readonly Rule[]) => Promise<number>,
  longest: () => Promise<number> = () => Promise.resolve(0),
): Promise<Figures> {
  const figures: Figures = { updates: [], trips: [] };
  for (let round = 0; round < rounds; round++) {
    const time = await update(tables[round % tables.length] ?? []);
    const trip = await longest();
    if (round < warmUp) continue;
    figures.updates.push(time);
    figures.trips.push(trip);
  }
  return figures;
}
