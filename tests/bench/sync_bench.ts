/**
 * How long it takes to open and to close thousands of ports in one update, beside a bare loop of system calls, and what
 * relaying notices of it. All in one run on one machine over loopback, so that only the ratios count.
 *
 *     deno run -A tests/bench/sync_bench.ts [--short] [--linux]
 *
 * Each round measures the bare loop, then the sockets of a backend alone (`SocketSet`), then an update as a client makes it
 * (connecting included), every other round the other way round. The first WARM_UP rounds don't count: the compiler has not
 * seen to any of it then. Each figure is the median of ROUNDS, each ratio the median of the ratios within the rounds.
 * Afterwards FLOWS connections talk through the server from another thread while it makes more such updates; the bar for
 * their round trips is what 99.9 % of them take at most. `--short` opens few ports once and only asserts that it works;
 * `--linux` leaves out the portable backend.
 *
 * @module
 */

import { connect } from "../../client.ts";
import { RuleTable } from "../../codec/table.ts";
import type { Rule } from "../../codec/types.ts";
import type { Backend } from "../../sync/backend.ts";
import { EffectiveTable } from "../../sync/effective.ts";
import { linuxBackend } from "../../sync/linux.ts";
import { portableBackend } from "../../sync/portable.ts";
import { SocketSet } from "../../sync/socket_set.ts";
import { assertEquals } from "../assert.ts";
import { Traffic } from "../faults/traffic.ts";
import { TestServer } from "../harness.ts";
import { tcpRule } from "../rules.ts";
import { freePort } from "../sync/harness.ts";
import { figure, median, medianRatio, medianWithRange, provenance, quantile, verdict } from "./figures.ts";
import { delay } from "./relay/delay.ts";
import { bareTimes, type Times } from "./sync/bare.ts";

const short = Deno.args.includes("--short");
/** Ports that are opened and closed. */
const PORTS = short ? 200 : 10_000;
const ROUNDS = short ? 1 : 9;
const WARM_UP = short ? 0 : 3;
/** Updates that open, and as many that close, with traffic. */
const UPDATES = short ? 1 : 20;
const FLOWS = 4;
/** Below the kernel's usual range for outgoing connections. */
const FIRST = 20_000;
/** Addresses of their own, so that nothing is in anybody's way. */
const ADDRESS = { bare: "127.77.0.1", set: "127.77.0.2", server: "127.77.0.3" } as const;
/** Milliseconds between two measurements: the kernel frees closed sockets a little later, in somebody else's time. */
const SETTLE = short ? 0 : 100;
/** How long an update may take in bare loops of opening, and a round trip meanwhile in milliseconds. */
const BAR = { time: 1.3, roundTrip: 5 } as const;

const KINDS = ["bare", "set", "server"] as const;
const TITLES = { bare: "bare loop", set: "sockets alone", server: "an update" } as const;

if (!short) {
  console.log(provenance());
  console.log(`${PORTS} TCP ports, medians of ${ROUNDS} rounds in ms; in parentheses the lowest and the highest\n`);
}
await measure("linux", linuxBackend);
if (!Deno.args.includes("--linux")) await measure("portable", portableBackend);
if (short) console.log("Works: updates of many ports with both backends, and relaying meanwhile");

async function measure(name: "linux" | "portable", make: () => Backend): Promise<void> {
  await using traffic = await Traffic.start();
  const still = await freePort("tcp");
  const few = [tcpRule(still, traffic.targets.a)];
  const all = [...few, range(ADDRESS.server)];
  await using running = await TestServer.start({ rules: { HOST: few }, backend: name });
  await using backend = make();
  const set = new SocketSet(backend, EffectiveTable.of([]));
  const update = async (rules: readonly Rule[]) => await timed(() => updated(running.path, rules));
  const ways: Record<(typeof KINDS)[number], () => Promise<Times>> = {
    bare: () => Promise.resolve(bareTimes(ADDRESS.bare, FIRST, PORTS)),
    set: async () => ({
      open: await timed(() => sync(set, [range(ADDRESS.set)])),
      close: await timed(() => sync(set, [])),
    }),
    server: async () => ({ open: await update(all), close: await update(few) }),
  };
  const times = { bare: [] as Times[], set: [] as Times[], server: [] as Times[] };
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const kind of round % 2 === 0 ? KINDS : KINDS.toReversed()) {
      await delay(SETTLE);
      const taken = await ways[kind]();
      if (round >= 0) times[kind].push(taken);
    }
  }
  await traffic.begin({ flows: new Array(FLOWS).fill(still), fresh: [], atOnce: 0 });
  await traffic.take();
  await delay(short ? 10 : 2000);
  const idle = await traffic.take();
  const busy: number[] = [];
  for (let number = 0; number < 2 * UPDATES; number++) {
    await delay(SETTLE);
    await traffic.take();
    await update(number % 2 === 0 ? all : few);
    for (const roundTrip of await traffic.take()) busy.push(roundTrip);
  }
  assertEquals((await traffic.stop()).faults, []);
  if (!short) report(name, times, idle, busy);
}

function range(address: string): Rule {
  return tcpRule(FIRST, FIRST, { address, lastPort: FIRST + PORTS - 1 });
}

async function sync(set: SocketSet, rules: readonly Rule[]): Promise<void> {
  const change = await set.apply(
    EffectiveTable.of([{ pif: 1, table: RuleTable.of(rules), defaultTarget: "127.0.0.1" }]),
  );
  assertEquals(change.failures.length, 0);
  await change.commit();
}

async function updated(path: string, rules: readonly Rule[]): Promise<void> {
  using session = await connect(path);
  const { outcome, opened, retired } = await session.update({ HOST: rules });
  assertEquals([outcome, opened + retired], ["done", PORTS]);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function report(
  name: string,
  times: Readonly<Record<(typeof KINDS)[number], readonly Times[]>>,
  idle: readonly number[],
  busy: readonly number[],
): void {
  const bare = times.bare.map(({ open }) => open);
  for (const what of ["open", "close"] as const) {
    console.log(`${name}: ${what}`);
    const same = times.bare.map((times) => times[what]);
    for (const kind of KINDS) {
      const values = times[kind].map((times) => times[what]);
      const ratio = medianRatio(values, bare);
      const further = what === "close" ? `, ${figure(medianRatio(values, same))} × a bare loop of close` : "";
      const bar = name === "linux" && kind !== "bare"
        ? `; wanted at most ${BAR.time}: ${verdict(ratio <= BAR.time)}`
        : "";
      const beside = kind === "bare" ? "" : `  ${figure(ratio)} × opening bare${further}${bar}`;
      console.log(`  ${TITLES[kind].padEnd(14)}${medianWithRange(values)}${beside}`);
    }
  }
  const line = (values: readonly number[]) =>
    `${figure(median(values))} median, ${figure(quantile(values, 0.999))} 99.9 %, ${
      figure(quantile(values, 1))
    } at most, of ${values.length}`;
  const met = quantile(busy, 0.999) <= BAR.roundTrip;
  console.log(`${name}: round trips of ${FLOWS} flows`);
  console.log(`  idle          ${line(idle)}`);
  console.log(`  meanwhile     ${line(busy)}`);
  console.log(`  wanted 99.9 % at most ${BAR.roundTrip} ms${name === "linux" ? `: ${verdict(met)}` : ""}\n`);
}
