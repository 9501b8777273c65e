/**
 * The program on a terminal of its own, which script(1) makes.
 *
 * @module
 */

import { invocation } from "./program.ts";

/** Why the tests that need one can't run here; undefined if they can. */
export const NO_TERMINAL = await reasonAgainst();

async function reasonAgainst(): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command("script", { args: ["--version"] }).output();
    // Others have a program of that name with other options.
    if (new TextDecoder().decode(stdout).includes("util-linux")) return undefined;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return "script of util-linux isn't there";
}

/** A process of the program on a terminal. Disposing of it takes the terminal away. */
export class OnTerminal implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #ended = false;
  /** What the terminal has shown so far. */
  shown = "";

  /** Runs the program with these arguments, in a shell that says its process's id first and its exit status last. */
  constructor(...args: string[]) {
    const { executable, before, environment } = invocation();
    const words = [executable, ...before, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
    const command = `${words} & pid=$!; echo "[process $pid]"; fg >/dev/null; echo "[status $?]"`;
    this.#child = new Deno.Command("/usr/bin/env", {
      args: ["script", "-qec", `exec /bin/bash -mc '${command.replaceAll("'", "'\\''")}'`, "/dev/null"],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      ...environment,
      ...environment.clearEnv && { env: { ...environment.env, PATH: Deno.env.get("PATH") ?? "" } },
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Waits until the terminal shows something that matches. */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.shown);
      if (match !== null) return match;
      const { value, done } = await this.#output.read();
      if (done) throw new Error(`It ended before it showed ${pattern}:\n${this.shown}`);
      this.shown += value;
    }
  }

  /** Presses keys. */
  async types(keys: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(keys));
  }

  /** Sends the program a signal. */
  async signal(signal: Deno.Signal): Promise<void> {
    const [, process] = await this.shows(/\[process (\d+)\]/);
    Deno.kill(Number(process), signal);
  }

  /** The program's exit status, once it has ended. */
  async ended(): Promise<number> {
    const [, status] = await this.shows(/\[status (\d+)\]/);
    return Number(status);
  }

  /** Takes the terminal away from under the program. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended with the program.
    }
    await this.#child.status;
    await this.#input.abort().catch(() => {});
    await this.#output.cancel();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
