/**
 * What the relay benchmark measures, one number each.
 *
 * @module
 */

const LOOPBACK = "127.0.0.1";
/** Connections that wrk keeps busy. */
const CONNECTIONS = 64;
/** Mean milliseconds between two requests of a connection at half load. */
const PAUSE = 10;
/** UDP peers, each with one datagram under way. */
const PEERS = 16;

/** HTTP requests per second over connections that stay. */
export async function requestRate(port: number, seconds: number): Promise<number> {
  return field(await wrk(port, seconds, []), /Requests\/sec:\s*([\d.]+)/);
}

/** HTTP requests per second with a connection for each. */
export async function connectionRate(port: number, seconds: number): Promise<number> {
  return field(await wrk(port, seconds, ["-H", "Connection: close"]), /Requests\/sec:\s*([\d.]+)/);
}

/** The latency in milliseconds that 99 % of requests keep below, at so many requests per second. */
export async function tailLatency(port: number, seconds: number, rate: number, directory: string): Promise<number> {
  const script = `${directory}/half_load.lua`;
  await Deno.writeTextFile(script, `function delay() return math.random(0, ${2 * PAUSE}) end\n`);
  const connections = `${Math.max(1, Math.round(rate * PAUSE / 1000))}`;
  const output = await run("wrk", ["-t1", "-c", connections, `-d${seconds}s`, "--latency", "-s", script, url(port)]);
  const [, value, unit] = /\s99%\s+([\d.]+)(us|ms|s)/.exec(output) ?? [];
  const milliseconds = { us: 0.001, ms: 1, s: 1000 }[unit ?? ""] ?? NaN;
  return Number(value) * milliseconds;
}

/** Gbit/s of one TCP stream. */
export async function throughput(port: number, seconds: number): Promise<number> {
  const output = await run("iperf3", ["-c", LOOPBACK, "-p", `${port}`, "-t", `${seconds}`, "-J"]);
  return JSON.parse(output).end.sum_received.bits_per_second / 1e9;
}

/** Round trips per second of datagrams of 64 bytes. */
export async function roundTripRate(port: number, seconds: number): Promise<number> {
  const script = new URL("udp.ts", import.meta.url).pathname;
  const args = ["run", "-A", "--no-check", script, "load", `${port}`, `${seconds}`, `${PEERS}`];
  return Number(await run(Deno.execPath(), args));
}

async function wrk(port: number, seconds: number, more: readonly string[]): Promise<string> {
  return await run("wrk", ["-t1", "-c", `${CONNECTIONS}`, `-d${seconds}s`, ...more, url(port)]);
}

function url(port: number): string {
  return `http://${LOOPBACK}:${port}/`;
}

function field(output: string, pattern: RegExp): number {
  return Number(pattern.exec(output)?.[1]);
}

async function run(program: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Can't measure: ${program} failed: ${decoder.decode(stderr)}${decoder.decode(stdout)}`);
  return decoder.decode(stdout);
}
