/**
 * Arguments in the order in which they stand. pesto's options work in order (`-A -t 80 -D -t 90`), which the standard
 * library's parser, made for options that are independent of each other, doesn't keep.
 *
 * @module
 */

/** An option that a command takes. */
export interface OptionSpec {
  /** Long form without dashes. */
  readonly name: string;
  /** Short form, one character. */
  readonly short?: string;
  /** What its value is called in the help text; absent for an option without one. */
  readonly value?: string;
}

/** One argument: an option, with its value if it takes one, or an operand. */
export type Argument =
  | { readonly kind: "option"; readonly name: string; readonly value: string }
  | { readonly kind: "flag"; readonly name: string }
  | { readonly kind: "operand"; readonly value: string };

/** A command was called in a way that it can't be. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * Splits arguments: long options with `=` or a following value, short ones combined (`-As`), values attached (`-t80`) or
 * following, `--` before operands only.
 *
 * @throws {UsageError} on an unknown option, a missing value, or one where none belongs
 */
export function parseArguments(args: readonly string[], specs: readonly OptionSpec[]): Argument[] {
  const result: Argument[] = [];
  const queue = [...args];
  const take = (spec: OptionSpec, shown: string, attached: string | undefined): void => {
    const { name } = spec;
    if (spec.value === undefined) {
      if (attached !== undefined) throw new UsageError(`Can't take "${shown}=${attached}": ${shown} has no value`);
      result.push({ kind: "flag", name });
      return;
    }
    const value = attached ?? queue.shift();
    if (value === undefined) throw new UsageError(`Can't take "${shown}": ${spec.value} must follow`);
    result.push({ kind: "option", name, value });
  };
  for (let arg = queue.shift(); arg !== undefined; arg = queue.shift()) {
    if (arg === "--") {
      for (const value of queue.splice(0)) result.push({ kind: "operand", value });
    } else if (arg.startsWith("--")) {
      const [name = "", ...rest] = arg.slice(2).split("=");
      const spec = specs.find((spec) => spec.name === name);
      if (spec === undefined) throw unknown(`--${name}`);
      take(spec, `--${name}`, rest.length > 0 ? rest.join("=") : undefined);
    } else if (arg.startsWith("-") && arg !== "-") {
      for (let letters = arg.slice(1); letters !== "";) {
        const letter = letters.slice(0, 1);
        const spec = specs.find(({ short }) => short === letter);
        if (spec === undefined) throw unknown(`-${letter}`);
        const rest = letters.slice(1);
        const attached = spec.value !== undefined && rest !== "";
        take(spec, `-${letter}`, attached ? rest : undefined);
        letters = attached ? "" : rest;
      }
    } else {
      result.push({ kind: "operand", value: arg });
    }
  }
  return result;
}

/** Whether an option without a value is among the arguments. */
export function hasFlag(parsed: readonly Argument[], name: string): boolean {
  return parsed.some((argument) => argument.kind === "flag" && argument.name === name);
}

/**
 * The only operand, the path of a control socket.
 *
 * @throws {UsageError} if there is none, or another one
 */
export function onlyPath(parsed: readonly Argument[]): string {
  const operands = parsed.flatMap((argument) => argument.kind === "operand" ? [argument.value] : []);
  const [path, extra] = operands;
  if (path === undefined || path === "") {
    throw new UsageError("Can't go on: the PATH of a control socket must be given");
  }
  if (extra !== undefined) throw new UsageError(`Can't take "${extra}": PATH is already "${path}"`);
  return path;
}

/**
 * The value of an option, as a number.
 *
 * @throws {UsageError} if it isn't a whole number from `min` to `max`
 */
export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`Can't take "${option} ${text}": it must be a whole number from ${min} to ${max}`);
}

function unknown(option: string): UsageError {
  return new UsageError(`Can't take "${option}": there is no such option`);
}
