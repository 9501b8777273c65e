/**
 * What most tests of faults begin with: a server with traffic through it, and the means to see what is in force.
 *
 * @module
 */

import { look } from "../../client.ts";
import type { Rule } from "../../codec/types.ts";
import type { ServeOptions } from "../../server.ts";
import { assertEquals, assertGreater } from "../assert.ts";
import { firstWords, isRefused, TestServer } from "../harness.ts";
import { tcpRule } from "../rules.ts";
import { freeRun } from "./kernel_sockets.ts";
import { Traffic } from "./traffic.ts";
import type { TrafficCounts } from "./traffic_messages.ts";

/** Both socket backends. */
export const BACKENDS = ["linux", "portable"] as const;

/** How a scene is served. */
export interface SceneOptions extends Omit<Partial<ServeOptions>, "log"> {
  /** How many new connections are being made at any moment; 1 if absent. */
  readonly fresh?: number;
}

/**
 * A server that always serves `busy`, the port with the traffic, and besides either `before` (the old table) or `after`
 * (the new one).
 */
export class Scene implements AsyncDisposable {
  readonly traffic: Traffic;
  readonly running: TestServer;
  readonly oldTable: readonly Rule[];
  readonly newTable: readonly Rule[];
  /** The port that only the old table has, and the one that only the new table has. */
  readonly before: number;
  readonly after: number;
  readonly #stack: AsyncDisposableStack;

  private constructor(stack: AsyncDisposableStack, traffic: Traffic, running: TestServer, ports: Ports) {
    this.#stack = stack;
    this.traffic = traffic;
    this.running = running;
    this.before = ports.before;
    this.after = ports.after;
    this.oldTable = oldTable(ports, traffic);
    this.newTable = newTable(ports, traffic);
  }

  /** Serves the old table; the traffic has begun. */
  static async start({ fresh = 1, ...options }: SceneOptions = {}): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const traffic = stack.use(await Traffic.start());
    const busy = freeRun(3);
    const ports = { busy, before: busy + 1, after: busy + 2 };
    const running = stack.use(await TestServer.start({ rules: { HOST: oldTable(ports, traffic) }, ...options }));
    await traffic.begin({ flows: [busy, ports.before], fresh: [busy], atOnce: fresh });
    return new Scene(stack.move(), traffic, running, ports);
  }

  get path(): string {
    return this.running.path;
  }

  /** The old table is in force, listed and served, and nothing of the new one is. */
  async oldStands(what: string): Promise<void> {
    assertEquals(await this.#state(), { revision: 1n, ports: portsOf(this.oldTable) }, what);
    assertEquals([await firstWords(this.before), await isRefused(this.after)], ["A", true], what);
  }

  /** The new table is in force, listed and served, and nothing of the old one is. */
  async newStands(what: string): Promise<void> {
    assertEquals(await this.#state(), { revision: 2n, ports: portsOf(this.newTable) }, what);
    assertEquals([await isRefused(this.before), await firstWords(this.after)], [true, "B"], what);
  }

  /** Ends the traffic, which must have gone on without a fault. */
  async trafficStood(): Promise<TrafficCounts> {
    const counts = await this.traffic.stop();
    assertEquals(counts.faults, []);
    assertGreater(counts.connections, 0);
    assertGreater(counts.roundTrips, 0);
    return counts;
  }

  async #state(): Promise<{ revision: bigint; ports: readonly number[] }> {
    const { hello, pifs } = await look(this.path);
    return { revision: hello.revision, ports: portsOf(pifs[0]?.rules ?? []) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

interface Ports {
  readonly busy: number;
  readonly before: number;
  readonly after: number;
}

function oldTable({ busy, before }: Ports, { targets }: Traffic): Rule[] {
  return [tcpRule(busy, targets.a), tcpRule(before, targets.a)];
}

function newTable({ busy, after }: Ports, { targets }: Traffic): Rule[] {
  return [tcpRule(busy, targets.a), tcpRule(after, targets.b)];
}

function portsOf(rules: readonly Rule[]): readonly number[] {
  return rules.map(({ firstPort }) => firstPort);
}

/** Says something in the output: as a step, since what is logged isn't shown when the tests run quietly. */
export async function say(test: Deno.TestContext, text: string): Promise<void> {
  await test.step(text, () => {});
}

/** How the traffic fared, for the output. */
export function trafficText({ connections, roundTrips, longestPause }: TrafficCounts): string {
  return `${connections} new connections and ${roundTrips} round trips without a fault, ` +
    `the longest pause ${longestPause.toFixed(0)} ms`;
}
