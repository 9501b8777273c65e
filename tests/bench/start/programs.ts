/**
 * The compiled programs that the start benchmark compares.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { delay } from "../relay/delay.ts";

const ROOT = new URL("../../../", import.meta.url);
/**
 * How deno.json's task "compile" makes the program, so that the empty one is made the same way. Without V8's laziness all
 * functions are compiled when the program runs for the first time, and come from the runtime's cache from then on. With it
 * the cache lacks those that are called later, and a listing spends 8 of its 22 ms beyond an empty program on compiling them
 * again. Where there is no cache, as at the first start, that costs 4 ms.
 */
const BUNDLE = ["bundle", "--quiet", "--minify", "--code-splitting"];
const COMPILE = ["compile", "--quiet", "--no-config", "--allow-all", "--v8-flags=--no-lazy"];
/** Milliseconds in which a process that has become idle tidies up. */
const SETTLE = 1000;
const decoder = new TextDecoder();

/** A compiled program. */
export class Program {
  readonly path: string;
  /** Bytes. */
  readonly size: number;

  constructor(path: string) {
    this.path = path;
    this.size = Deno.statSync(path).size;
  }

  /** Runs it to its end; its exit status. */
  async run(...args: string[]): Promise<number> {
    const command = new Deno.Command(this.path, { args, stdin: "null", stdout: "null", stderr: "null" });
    return (await command.spawn().status).code;
  }
}

/** What came of the compiling. */
export type Made =
  | { readonly kind: "made"; readonly empty: Program; readonly idle: Program; readonly pesto: Program }
  | { readonly kind: "impossible"; readonly reason: string };

/** A folder with compiled programs, and the servers among them that run. */
export class Programs implements AsyncDisposable {
  readonly #directory = Deno.makeTempDirSync({ prefix: "pesto-start-" });
  readonly #servers: Deno.ChildProcess[] = [];
  #count = 0;

  /** Compiles an empty program, one that is idle, and pesto. */
  async make(): Promise<Made> {
    const task: unknown = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT))).tasks.compile.command;
    for (const words of [BUNDLE, COMPILE]) {
      assert(
        String(task).includes(words.join(" ")),
        `the task "compile" doesn't do "deno ${words.join(" ")}" any more`,
      );
    }
    try {
      return {
        kind: "made",
        empty: await this.#compile("empty", new URL("empty.ts", import.meta.url)),
        idle: await this.#compile("idle", new URL("idle.ts", import.meta.url)),
        pesto: await this.#compile("cli", new URL("cli.ts", ROOT)),
      };
    } catch (error) {
      return { kind: "impossible", reason: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Starts a server with a rule, and waits until it is ready; the path of its control socket. */
  async serve(program: Program): Promise<string> {
    const path = this.#controlPath();
    this.#servers.push(await ready(program, [path, "-t", "127.0.0.93/41893"]));
    return path;
  }

  /** Milliseconds until a server is ready. */
  async untilReady(program: Program): Promise<number> {
    const start = performance.now();
    const server = await ready(program, [this.#controlPath()]);
    const milliseconds = performance.now() - start;
    await end(server);
    return milliseconds;
  }

  /** MiB of memory that are resident when a program has been idle for a while; it is a server or needs no arguments. */
  async resident(program: Program, kind: "server" | "program"): Promise<number> {
    const child = kind === "server" ? await ready(program, [this.#controlPath()]) : started(program, []);
    await delay(SETTLE);
    const status = await Deno.readTextFile(`/proc/${child.pid}/status`);
    await end(child);
    return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) / 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) await end(server);
    Deno.removeSync(this.#directory, { recursive: true });
  }

  #controlPath(): string {
    return `${this.#directory}/control${this.#count++}`;
  }

  async #compile(name: string, source: URL): Promise<Program> {
    const bundle = `${this.#directory}/${name}-bundle`;
    const path = `${this.#directory}/${name}`;
    await deno([...BUNDLE, "--outdir", bundle, source.pathname]);
    await deno([...COMPILE, "--output", path, `${bundle}/${name}.js`]);
    return new Program(path);
  }
}

async function deno(args: readonly string[]): Promise<void> {
  const command = new Deno.Command(Deno.execPath(), { args: [...args], cwd: ROOT, stdin: "null", stdout: "null" });
  const { success, stderr } = await command.output();
  if (!success) throw new Error(decoder.decode(stderr).trim().split("\n").at(-1));
}

function started(program: Program, args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(program.path, { args: [...args], stdin: "null", stdout: "null", stderr: "piped" }).spawn();
}

async function ready(program: Program, args: readonly string[]): Promise<Deno.ChildProcess> {
  const server = started(program, ["serve", ...args]);
  let logged = "";
  for await (const chunk of server.stderr.values({ preventCancel: true })) {
    logged += decoder.decode(chunk);
    if (logged.includes("Ready")) return server;
  }
  throw new Error(`Can't measure: a server ended before it was ready:\n${logged}`);
}

async function end(server: Deno.ChildProcess): Promise<void> {
  server.kill("SIGTERM");
  await server.stderr.cancel();
  await server.status;
}
