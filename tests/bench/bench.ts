/**
 * All benchmarks, one after the other. `--short` runs each in a form that only checks that it works.
 *
 * @module
 */

const BENCHES = [
  "start_bench.ts",
  "core_bench.ts",
  "transaction_bench.ts",
  "sync_bench.ts",
  "memory_bench.ts",
  "relay_bench.ts",
];

for (const bench of BENCHES) {
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", new URL(bench, import.meta.url).pathname, ...Deno.args],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (code !== 0) Deno.exit(code);
}
