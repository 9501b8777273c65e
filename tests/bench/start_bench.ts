/**
 * How fast the single executable starts beside an empty program made in the same way, how much larger it is, and how much
 * more memory it has when it serves and nothing happens.
 *
 *     deno run -A tests/bench/start_bench.ts [--short]
 *
 * Both are compiled here, by the Deno that runs this; where that has no runtime image, the benchmark is left out (and fails in its short form). Each
 * round starts every program once. `--short` runs one round and only asserts that everything works.
 *
 * @module
 */

import { assert, assertEquals } from "../assert.ts";
import { figureLine, median, provenance, ratioLine, verdict } from "./figures.ts";
import { type Program, Programs } from "./start/programs.ts";

const short = Deno.args.includes("--short");
const ROUNDS = short ? 1 : 41;
const MEMORY_ROUNDS = short ? 1 : 5;
/** Mebibytes that the program may be larger than the empty one. */
const SIZE_BAR = 1;

await using programs = new Programs();
const made = await programs.make();
if (made.kind === "impossible") {
  console.log(`Starting is left out, because this Deno can't compile here: ${made.reason}`);
  if (short) Deno.exitCode = 1;
} else {
  const { empty, idle, pesto } = made;
  const control = await programs.serve(pesto);
  const figures = { empty: [] as number[], list: [] as number[], serve: [] as number[] };
  // The first start reads the program from the disk.
  for (const program of [empty, pesto]) await program.run("--help");
  for (let round = 0; round < ROUNDS; round++) {
    figures.empty.push(await timed(empty));
    figures.list.push(await timed(pesto, control));
    figures.serve.push(await programs.untilReady(pesto));
  }
  const memory = { idle: [] as number[], serve: [] as number[] };
  for (let round = 0; round < MEMORY_ROUNDS; round++) {
    memory.idle.push(await programs.resident(idle, "program"));
    memory.serve.push(await programs.resident(pesto, "server"));
  }
  const excess = (pesto.size - empty.size) / 2 ** 20;
  if (short) {
    assert(excess < SIZE_BAR, `the program is ${excess.toFixed(2)} MiB larger than an empty one`);
    console.log("Works: an empty program, a listing, a server until it is ready, and an idle one");
  } else {
    console.log(provenance());
    console.log(`Medians of ${ROUNDS} starts; in parentheses the lowest and the highest\n\nstart of a program (ms)`);
    for (const [name, values] of Object.entries(figures)) console.log(figureLine(name, values));
    const ratio = (values: readonly number[]) => median(values) / median(figures.empty);
    console.log(ratioLine(ratio(figures.list), "empty for a listing", { atMost: 1.2 }));
    console.log(ratioLine(ratio(figures.serve), "empty for a server to be ready", { atMost: 1.5 }));
    console.log(`\nresident memory of a program in which nothing happens (MiB), of ${MEMORY_ROUNDS}`);
    for (const [name, values] of Object.entries(memory)) console.log(figureLine(name, values));
    console.log(ratioLine(median(memory.serve) / median(memory.idle), "idle", { atMost: 1.25 }));
    console.log(`\nsize of the program (MiB)`);
    const [size, bar] = [
      (empty.size / 2 ** 20).toFixed(1),
      `wanted at most ${SIZE_BAR}: ${verdict(excess <= SIZE_BAR)}`,
    ];
    console.log(`  ${excess.toFixed(2)} more than the ${size} of an empty one; ${bar}`);
  }
}

/** Milliseconds that one run to its end takes. */
async function timed(program: Program, ...args: string[]): Promise<number> {
  const start = performance.now();
  const status = await program.run(...args);
  const milliseconds = performance.now() - start;
  assertEquals(status, 0, `${program.path} ${args.join(" ")} ended with status ${status}`);
  return milliseconds;
}
