/**
 * Silent, slow and hostile clients, all at once and through real sockets: the table and the relays don't notice.
 *
 * Windows of round trips without these clients and with them follow one another, and the best of either kind are
 * compared: other work on the machine only ever makes a window worse, and a server that waits for its clients is slow in
 * all of them. Where relaying isn't at most FACTOR times as slow at once, more windows are taken, and what came of it is
 * shown. The test fails if it is much slower in all of several windows during which the machine had little else to do, as it
 * is when the relays wait for all clients' callbacks in a turn of the event loop; on a busy machine the times say nothing. What clients do in a flood they do
 * at the expense of the same few processors; those times are shown beside the ones of a machine whose processor is kept as
 * busy with something else. That the relays have their turn then is what `tests/sync/pace_test.ts` proves.
 *
 * @module
 */

import { Worker } from "node:worker_threads";
import { assertEquals, assertGreater, assertLess } from "../assert.ts";
import { until } from "../sync/harness.ts";
import { liveMemory, mebibytes } from "./live_memory.ts";
import { otherWork } from "./other_work.ts";
import { say, Scene } from "./scene.ts";
import type { StuckCommand, StuckCounts, StuckNews } from "./stuck_messages.ts";
import type { Traffic } from "./traffic.ts";

/** Seconds after which the server gives up whoever hasn't finished. */
const TRANSACTION_SECONDS = 4;
/**
 * The least of one window: round trips, and the milliseconds that they add up to. That is half as long with two flows, and
 * several times as long as a hostile client holds back.
 */
const ROUND_TRIPS = 200;
const ADDED_UP = 800;
/** Pairs of windows: so many in any case, and so many at most. */
const ROUNDS = 3;
const MAX_ROUNDS = 8;
/** The most of all processors that other programs may have in windows that count in any case. */
const QUIET = 0.1;
/** Milliseconds between two round trips of a flow that asks on time. */
const INTERVAL = 0.5;
/** Milliseconds that a round trip may take in any case: less is one turn of the relays, and the scheduler's noise. */
const FLOOR = 2;
/** How much slower relaying may be beside those clients. */
const FACTOR = 2;
/** What a server does that has no pace for its clients: 7 to 14 ms were seen. */
const FAULTY = { floor: 5, factor: 4 } as const;
/**
 * Bytes that may be in use beyond what was before, when all of them have gone. Each round has 250 of these clients, for whom
 * 70 KB each were measured while they are there: three rounds of them would be 50 MB. What other tests have left in the same
 * program may come and go meanwhile; 10 MB of that were seen.
 */
const GROWTH = 32 * 1024 * 1024;

/** A window's 99th percentile of a round trip, in milliseconds. */
async function slowRoundTrip(traffic: Traffic): Promise<number> {
  await traffic.take();
  const roundTrips: number[] = [];
  let addedUp = 0;
  await until(`${ROUND_TRIPS} round trips`, async () => {
    for (const roundTrip of await traffic.take()) {
      roundTrips.push(roundTrip);
      addedUp += roundTrip;
    }
    return roundTrips.length >= ROUND_TRIPS && addedUp >= ADDED_UP;
  });
  const all = roundTrips.flatMap(withThoseThatWaited).toSorted((a, b) => a - b);
  return all[Math.floor(all.length * 0.99)] ?? NaN;
}

/**
 * A flow that waits for each answer before it asks again asks seldom just when answers are slow. So each long round trip
 * stands for those as well that would have begun during it.
 */
function withThoseThatWaited(roundTrip: number): number[] {
  const all = [roundTrip];
  for (let rest = roundTrip - INTERVAL; rest > 0; rest -= INTERVAL) all.push(rest);
  return all;
}

/** The clients' thread. */
class Clients {
  readonly #worker: Worker;

  constructor(path: string) {
    this.#worker = new Worker(new URL("stuck_worker.ts", import.meta.url), { workerData: path });
  }

  /** Resolves when it is so. */
  async do(command: StuckCommand): Promise<StuckCounts> {
    const { promise, resolve, reject } = Promise.withResolvers<StuckNews>();
    this.#worker.once("error", reject);
    this.#worker.once("message", resolve);
    this.#worker.postMessage(command);
    const { done, counts } = await promise;
    this.#worker.off("error", reject);
    assertEquals(done, command);
    return counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}

/** The best of some windows without and with those clients, in milliseconds. */
class Best {
  without = Infinity;
  beside = Infinity;
  count = 0;

  take(without: number, beside: number): void {
    this.without = Math.min(this.without, without);
    this.beside = Math.min(this.beside, beside);
    this.count++;
  }

  /** Whether relaying is as fast beside those clients as it is wanted to be. */
  get isGood(): boolean {
    return this.beside < Math.max(FLOOR, FACTOR * this.without);
  }

  toString(): string {
    return `${this.beside.toFixed(2)} ms, ${this.without.toFixed(2)} ms without (best of ${this.count})`;
  }
}

Deno.test({
  name: "serve() relays as fast as ever beside silent, slow and hostile clients, and changes nothing for them",
  ignore: Deno.build.os !== "linux",
  async fn(test) {
    await using scene = await Scene.start({ transactionSeconds: TRANSACTION_SECONDS, fresh: 0 });
    await using clients = new Clients(scene.path);
    const all = new Best();
    const quiet = new Best();
    let warm: number | undefined;
    while (all.count < ROUNDS || (all.count < MAX_ROUNDS && !all.isGood)) {
      const others = otherWork();
      const without = await slowRoundTrip(scene.traffic);
      await clients.do("stick");
      const beside = await slowRoundTrip(scene.traffic);
      all.take(without, beside);
      if (others() < QUIET) quiet.take(without, beside);
      await clients.do("leave");
      // The first round lets every reserve grow to its size.
      warm ??= await liveMemory();
    }
    await clients.do("spin");
    const busy = await slowRoundTrip(scene.traffic);
    await clients.do("leave");
    await clients.do("flood");
    const flooded = await slowRoundTrip(scene.traffic);
    await clients.do("leave");
    await clients.do("stick");
    const { outcomes, ended } = await clients.do("stay");
    const { hostile } = await clients.do("leave");
    const growth = await liveMemory() - (warm ?? NaN);
    await scene.oldStands("after all of them");
    await say(
      test,
      `99th percentile of a round trip beside ${ended} stuck clients: ${all}, ${
        all.isGood ? "within" : "not within"
      } ${FACTOR} times that; in a flood ${flooded.toFixed(2)} ms, beside ` +
        `other work ${
          busy.toFixed(2)
        } ms; ${quiet.count} pairs of windows were quiet; ${hostile} hostile transactions, ` +
        `${mebibytes(growth)} more in use afterwards`,
    );
    assertEquals([outcomes, ended], [["timed-out"], 250]);
    assertGreater(hostile, 100);
    assertLess(growth, GROWTH);
    if (quiet.count >= ROUNDS) assertLess(quiet.beside, Math.max(FAULTY.floor, FAULTY.factor * quiet.without));
    assertEquals((await scene.traffic.stop()).faults, []);
  },
});
