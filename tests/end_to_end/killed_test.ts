import { setImmediate } from "node:timers";
import { connect, look } from "../../client.ts";
import type { Rule } from "../../codec/types.ts";
import { readState } from "../../sync/state_file.ts";
import { assert } from "../assert.ts";
import { freeRow, ownLoopback } from "../free_port.ts";
import { Random } from "../random.ts";
import { tcpRule } from "../rules.ts";
import { Serving } from "./program.ts";

const KILLS = 200;
/** Servers that are killed side by side, each with a state of its own: a start takes most of the time, and one processor. */
const LANES = 2;
/** Rules of one table; all of them carry its generation, so that a mixture would show. */
const RULES = 8;

/** One server that is killed and started again and again. */
class Lane {
  readonly #address = ownLoopback();
  readonly #first: number;
  readonly #random: Random;
  readonly #folder: string;
  /** The generation that the client was told is committed, and the last one that it has sent. */
  #acknowledged = -1;
  #sent = -1;
  /** What the servers so far have logged, each in one piece. */
  readonly #logs: string[][] = [];

  constructor(folder: string, first: number, seed: number) {
    this.#folder = folder;
    this.#first = first;
    this.#random = new Random(seed);
  }

  /** Starts a server, finds what it has brought back, and kills it in the midst of an update; `kills` times. */
  async run(kills: number): Promise<void> {
    for (let kill = 0; kill <= kills; kill++) {
      try {
        await using serving = await Serving.start("--state", this.#state, this.#path);
        this.#logs.push(serving.logged);
        if (this.#sent >= 0) await this.#findTable();
        if (kill === kills) return;
        await this.#updateAndKill(serving);
        await serving.ended();
      } catch (cause) {
        throw new Error(`${await this.#scene(kill)}\n${cause instanceof Error ? cause.message : cause}`, { cause });
      }
    }
  }

  get #path(): string {
    return `${this.#folder}/control`;
  }

  get #state(): string {
    return `${this.#folder}/state`;
  }

  /** What is in force is whole, and no older than what was acknowledged. */
  async #findTable(): Promise<void> {
    const rules = (await look(this.#path)).pifs[0]?.rules ?? [];
    const found = new Set(rules.map(generationOf));
    const allowed = [this.#acknowledged, this.#sent];
    const [generation = NaN] = found;
    const isOne = rules.length === RULES && found.size === 1;
    assert(
      isOne && this.#acknowledged <= generation && generation <= this.#sent,
      `Found ${rules.length} rules of the generations ${[...found]}, allowed is one from ${allowed.join(" to ")}`,
    );
    this.#acknowledged = this.#sent = generation;
  }

  async #updateAndKill(serving: Serving): Promise<void> {
    for (let updates = this.#random.between(1, 3); updates > 0; updates--) {
      using session = await connect(this.#path);
      const update = session.update({ HOST: this.#table(++this.#sent) });
      // The last one is cut short somewhere: as it is sent, applied, written to the disk, or answered.
      if (updates === 1) {
        for (let turns = this.#random.between(0, 20); turns > 0; turns--) {
          await new Promise((resolve) => setImmediate(resolve));
        }
        serving.signal("SIGKILL");
      }
      try {
        await update;
        this.#acknowledged = this.#sent;
      } catch (error) {
        if (updates > 1) throw error;
      }
    }
  }

  /** The table of one generation: told from others by its target ports. */
  #table(generation: number): Rule[] {
    return Array.from(
      { length: RULES },
      (_, index) => tcpRule(this.#first + index, 1000 + generation, { address: this.#address }),
    );
  }

  /** All that there is to know after a failure; the folder stays. */
  async #scene(kill: number): Promise<string> {
    const state = await readState(this.#state).then(
      (state) =>
        state === undefined ? "none" : `revision ${state.revision}, generations ` +
          [...state.tables].map(([name, table]) =>
            `${name} ${Array.from({ length: table.length }, (_, index) => generationOf(table.rule(index)))}`
          ),
      (error) => String(error),
    );
    const logs = this.#logs.slice(-3).map((lines) => lines.join("\n")).join("\n--- killed ---\n");
    return `After kill ${kill}, of a server on ${this.#address}, ports from ${this.#first}, in "${this.#folder}": ` +
      `generation ${this.#acknowledged} acknowledged, ${this.#sent} sent; state: ${state}; log:\n${logs}`;
  }
}

function generationOf({ targetPort }: Rule): number {
  return targetPort - 1000;
}

Deno.test(`pesto serve --state comes back with a committed table after each of ${KILLS} kills in the midst of updates`, async () => {
  const folder = await Deno.makeTempDir();
  const first = freeRow(LANES * RULES, ownLoopback());
  const lanes = Array.from({ length: LANES }, (_, index) => {
    const own = `${folder}/${index}`;
    Deno.mkdirSync(own);
    return new Lane(own, first + index * RULES, 9 + index);
  });
  // All of them end before the test does, whichever fails.
  const ends = await Promise.allSettled(lanes.map((lane) => lane.run(KILLS / LANES)));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  await Deno.remove(folder, { recursive: true });
});
