/**
 * How figures are reduced and printed, the same in every benchmark.
 *
 * @module
 */

/** A median and its range, in columns. */
export function figureLine(name: string, values: readonly number[]): string {
  return `  ${name.padEnd(9)}${medianWithRange(values)}`;
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
  return `  ${ratio.toFixed(2)} × ${what}; wanted ${wanted}: ${verdict(met)}`;
}

/** When and where figures were taken: they mean little without it. */
export function provenance(): string {
  const info = Deno.readTextFileSync("/proc/cpuinfo");
  const model = /^model name\s*:\s*(.*)$/m.exec(info)?.[1] ?? Deno.build.arch;
  const day = new Date().toISOString().slice(0, 10);
  const cores = `${navigator.hardwareConcurrency} × ${model}`;
  return `${day}, Linux ${Deno.osRelease()}, ${cores}, Deno ${Deno.version.deno}`;
}

/** The middle one of these values, the higher one of two. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value that `part` of these don't exceed. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(Math.floor(sorted.length * part), sorted.length - 1)] ?? NaN;
}

/** The median of the ratios within the rounds: what one round measured, by what it measured for comparison. */
export function medianRatio(values: readonly number[], others: readonly number[]): number {
  return median(values.map((value, round) => value / (others[round] ?? NaN)));
}

/** A number with two decimals, or none where it is large. */
export function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}

/** The median with the lowest and the highest value, for one line of a table. */
export function medianWithRange(values: readonly number[]): string {
  return `${figure(median(values)).padStart(9)}  (${figure(quantile(values, 0))} to ${figure(quantile(values, 1))})`;
}

/** Whether a bar is met, for the end of a line. */
export function verdict(met: boolean): string {
  return met ? "met" : "NOT MET";
}

/** One line: what was measured, its median with the lowest and the highest, and whether that is at most `bar`. */
export function line(title: string, values: readonly number[], unit: string, bar?: number): string {
  const middle = median(values);
  const range = `${figure(quantile(values, 0))} to ${figure(quantile(values, 1))}`;
  const wanted = bar === undefined ? "" : `; wanted at most ${bar}: ${verdict(middle <= bar)}`;
  return `  ${title}: ${figure(middle)} ${unit} (${range})${wanted}`;
}
