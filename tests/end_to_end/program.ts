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

function command(args: readonly string[]): Deno.Command {
  // A compiled program gets an empty environment: it must find neither Deno nor Node.
  const [executable, before, env] = program === undefined
    ? [Deno.execPath(), ["run", "--quiet", "-A", CLI], {}]
    : [program, [], { clearEnv: true, env: { PATH: "/nonexistent" } }];
  return new Deno.Command(executable, {
    args: [...before, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...env,
  });
}

/** Runs the program to its end. */
export async function pesto(...args: string[]): Promise<Finished> {
  const { code, stdout, stderr } = await command(args).output();
  return { status: code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
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
  static async start(...args: string[]): Promise<Serving> {
    const serving = new Serving(command(["serve", ...args]).spawn());
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
    while (!(await this.#lines.read()).done);
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
