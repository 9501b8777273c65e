import { connect, look } from "../../client.ts";
import type { Rule } from "../../codec/types.ts";
import { assert, assertEquals } from "../assert.ts";
import { freeRow } from "../free_port.ts";
import { Random } from "../random.ts";
import { tcpRule } from "../rules.ts";
import { setImmediate } from "node:timers";
import { Serving } from "./program.ts";

const KILLS = 200;
/** Rules of one table; all of them carry its generation, so that a mixture would show. */
const RULES = 8;

/** The table of one generation: told from others by its target ports. */
function table(first: number, generation: number): Rule[] {
  return Array.from({ length: RULES }, (_, index) => tcpRule(first + index, 1000 + generation));
}

/** The generation of a listed table, which must be one and the same for all of its rules. */
function generationOf(rules: readonly Rule[]): number {
  const generations = new Set(rules.map(({ targetPort }) => targetPort - 1000));
  assertEquals([rules.length, generations.size], [RULES, 1]);
  return [...generations][0] ?? NaN;
}

Deno.test(`pesto serve --state comes back with a committed table after each of ${KILLS} kills in the midst of updates`, async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/control`;
  const random = new Random(9);
  const first = freeRow(RULES);
  let acknowledged = -1;
  let sent = -1;
  for (let kill = 0; kill <= KILLS; kill++) {
    await using serving = await Serving.start("--state", `${folder}/state`, path);
    if (sent >= 0) {
      const found = generationOf((await look(path)).pifs[0]?.rules ?? []);
      assert(
        acknowledged <= found && found <= sent,
        `${found} is neither ${acknowledged} nor a later one up to ${sent}`,
      );
      acknowledged = sent = found;
    }
    if (kill === KILLS) break;
    for (let updates = random.between(1, 3); updates > 0; updates--) {
      using session = await connect(path);
      const update = session.update({ HOST: table(first, ++sent) });
      // The last one is cut short somewhere: as it is sent, applied, written to the disk, or answered.
      if (updates === 1) {
        for (let turns = random.between(0, 20); turns > 0; turns--) {
          await new Promise((resolve) => setImmediate(resolve));
        }
        serving.signal("SIGKILL");
      }
      try {
        await update;
        acknowledged = sent;
      } catch (error) {
        if (updates > 1) throw error;
      }
    }
    await serving.ended();
  }
  await Deno.remove(folder, { recursive: true });
});
