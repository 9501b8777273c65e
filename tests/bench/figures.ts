/**
 * How figures are reduced and printed, the same in every benchmark.
 *
 * @module
 */

/** The middle one of these values, or NaN if there is none. */
export function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? NaN;
}

/** A figure with three digits or more. */
export function figureText(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}

/** A median and its range, in columns. */
export function figureLine(name: string, values: readonly number[]): string {
  const range = `${figureText(Math.min(...values))} to ${figureText(Math.max(...values))}`;
  return `  ${name.padEnd(9)}${figureText(median(values)).padStart(9)}  (${range})`;
}

/** A ratio beside its bar. */
export function ratioLine(
  ratio: number,
  what: string,
  bar: { readonly atLeast: number } | { readonly atMost: number },
) {
  const [met, wanted] = "atLeast" in bar
    ? [ratio >= bar.atLeast, `at least ${bar.atLeast}`]
    : [ratio <= bar.atMost, `at most ${bar.atMost}`];
  return `  ${ratio.toFixed(2)} × ${what}; wanted ${wanted}: ${met ? "met" : "NOT MET"}`;
}

/** When and where figures were taken: they mean little without it. */
export function provenance(): string {
  const info = Deno.readTextFileSync("/proc/cpuinfo");
  const model = /^model name\s*:\s*(.*)$/m.exec(info)?.[1] ?? Deno.build.arch;
  const day = new Date().toISOString().slice(0, 10);
  const cores = `${navigator.hardwareConcurrency} × ${model}`;
  return `${day}, Linux ${Deno.osRelease()}, ${cores}, Deno ${Deno.version.deno}`;
}
