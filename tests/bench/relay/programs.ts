/**
 * The programs that the relay benchmark runs side by side: the target, the relays, and what it takes to start and end them.
 *
 * @module
 */

import { delay } from "./delay.ts";

const LOOPBACK = "127.0.0.1";
/** Milliseconds that a program may take to listen. */
const START = 10_000;

/** Which of these programs are installed. */
export function installed(names: readonly string[]): Set<string> {
  const there = (name: string) =>
    new Deno.Command("sh", { args: ["-c", `command -v ${name}`], stdout: "null", stderr: "null" }).outputSync().success;
  return new Set(names.filter(there));
}

/** Programs that run until this is disposed of, and a folder for their files. */
export class Programs implements AsyncDisposable {
  readonly directory: string = Deno.makeTempDirSync({ prefix: "pesto-bench-" });
  readonly #running: Deno.ChildProcess[] = [];

  /** Starts a program; its process id. */
  start(program: string, args: readonly string[]): number {
    const command = new Deno.Command(program, { args: [...args], stdin: "null", stdout: "null", stderr: "null" });
    const child = command.spawn();
    this.#running.push(child);
    return child.pid;
  }

  /** Writes a file into the folder; its path. */
  write(name: string, text: string): string {
    const path = `${this.directory}/${name}`;
    Deno.writeTextFileSync(path, text);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#running) program.kill("SIGTERM");
    for (const program of this.#running) await program.status;
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** Resolves when something listens on this TCP port. */
export async function listening(port: number): Promise<void> {
  for (const end = performance.now() + START; performance.now() < end; await delay(20)) {
    try {
      (await Deno.connect({ hostname: LOOPBACK, port })).close();
      return;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    }
  }
  throw new Error(`Can't measure: nothing listens on port ${port} after ${START} ms`);
}

/** nginx with one worker and one small answer. */
export function nginxConfiguration(directory: string, port: number): string {
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${directory}/${name};`).join(" ");
  return `
user root; worker_processes 1; daemon off; pid ${directory}/nginx.pid; error_log /dev/null crit;
events { worker_connections 8192; multi_accept on; }
http {
  access_log off; keepalive_requests 1000000000; ${paths}
  server { listen ${LOOPBACK}:${port} backlog=4096; location / { return 200 "a small answer, as of a service behind a relay"; } }
}
`;
}

/** What pasta needs to relay into a namespace of its own, and what runs in there. */
export interface Inside {
  /** TCP ports on this side and inside. */
  readonly routes: readonly (readonly [number, number])[];
  /** Command lines that run until they are ended. */
  readonly programs: readonly (readonly string[])[];
}

/** The programs that {@linkcode pastaArguments} take. */
export const PASTA: readonly string[] = ["pasta", "setpriv"];

/** Arguments for pasta, which makes a namespace and runs the targets in it. They end when it does. */
export function pastaArguments({ routes, programs }: Inside): string[] {
  const forwarded = routes.map(([port, target]) => `${port}:${target}`).join(",");
  const script = [...programs.map((words) => `${words.join(" ")} &`), "wait"].join(" ");
  return [
    ...["--foreground", "--quiet", ...Deno.uid() === 0 ? ["--runas", "0"] : []],
    ...["-t", forwarded, "-u", "none", "-T", "none", "-U", "none", "--"],
    ...["setpriv", "--pdeathsig", "KILL", "sh", "-c", script],
  ];
}

/** haproxy as a TCP relay with one thread, as the others have one; from ports to ports. */
export function haproxyConfiguration(routes: readonly (readonly [number, number])[]): string {
  const relays = routes.map(([port, target]) => `
listen relay${port}
  bind ${LOOPBACK}:${port} backlog 4096
  server target ${LOOPBACK}:${target}`);
  return `
global
  nbthread 1
  maxconn 8000
defaults
  mode tcp
  timeout connect 10s
  timeout client 300s
  timeout server 300s
${relays.join("\n")}
`;
}
