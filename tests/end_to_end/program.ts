/**
 * The program as a process of its own: the one that the environment variable PESTO_PROGRAM names, or cli.ts run by the
 * Deno that runs the tests.
 *
 * @module
 */

const CLI = new URL("../../cli.ts", import.meta.url).pathname;
const program = Deno.env.get("PESTO_PROGRAM");

/** What a finished process left behind. */
export interface Finished {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How the program is called: what stands before its own arguments, and in which environment. */
export function invocation(): { executable: string; before: string[]; environment: Deno.CommandOptions } {
  // A compiled program gets an empty environment: it must find neither Deno nor Node.
  return program === undefined
    ? { executable: Deno.execPath(), before: ["run", "--quiet", "-A", CLI], environment: {} }
    : { executable: program, before: [], environment: { clearEnv: true, env: { PATH: "/nonexistent" } } };
}

/** A shell's script, in which `"$0" "$@"` is the program with its arguments, or just those; `env` is added. */
function command(args: readonly string[], script?: string, env: Readonly<Record<string, string>> = {}): Deno.Command {
  const { executable, before, environment } = invocation();
  const own = [...before, ...args];
  return new Deno.Command(script === undefined ? executable : "/bin/sh", {
    args: script === undefined ? own : ["-c", script, executable, ...own],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...environment,
    env: { ...environment.env, ...env },
  });
}

function finished({ code, stdout, stderr }: Deno.CommandOutput): Finished {
  return { status: code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** Runs the program to its end. */
export async function pesto(...args: string[]): Promise<Finished> {
  return finished(await command(args).output());
}

/** Runs a shell's script, in which `"$0" "$@"` is the program with its arguments, to its end. */
export async function pestoInShell(script: string, ...args: string[]): Promise<Finished> {
  return finished(await command(args, script).output());
}

/** A `pesto serve` that is ready; disposing of it kills it if it still runs. */
export class Serving implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly logged: string[] = [];
  #status: Deno.CommandStatus | undefined;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#lines = child.stderr.pipeThrough(new TextDecoderStream()).pipeThrough(new LineStream()).getReader();
  }

  /** Starts it and waits until its sockets stand. */
  static start(...args: string[]): Promise<Serving> {
    return Serving.startUnder({}, ...args);
  }

  /** The same, in a shell's script, in which `exec "$0" "$@"` is to start it, and with more in its environment. */
  static async startUnder(
    { script, env }: { script?: string; env?: Readonly<Record<string, string>> },
    ...args: string[]
  ): Promise<Serving> {
    const serving = new Serving(command(["serve", ...args], script, env).spawn());
    await serving.logs("Ready");
    return serving;
  }

  /** Waits until it logs a line with these words. */
  async logs(words: string): Promise<string> {
    for (;;) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error(`It ended before it logged "${words}":\n${this.logged.join("\n")}`);
      this.logged.push(value);
      if (value.includes(words)) return value;
    }
  }

  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Its exit status, once it has ended. */
  async ended(): Promise<number> {
    for (;;) {
      const { value, done } = await this.#lines.read();
      if (done) break;
      this.logged.push(value);
    }
    this.#status ??= await this.#child.status;
    return this.#status.code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#status === undefined) {
      try {
        this.#child.kill("SIGKILL");
      } catch {
        // It has ended meanwhile.
      }
      await this.ended();
    }
    await this.#child.stdout.cancel();
  }
}

class LineStream extends TransformStream<string, string> {
  constructor() {
    let rest = "";
    super({
      transform(chunk, controller) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) controller.enqueue(line);
      },
      flush(controller) {
        if (rest !== "") controller.enqueue(rest);
      },
    });
  }
}
