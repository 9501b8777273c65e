/**
 * How the Linux backend relays beside haproxy, socat, pasta and the portable backend, in one run on one machine over
 * loopback, so that only the ratios count.
 *
 *     deno run -A tests/bench/relay_bench.ts [--short] [--only WORDS]
 *
 * Load comes from wrk and iperf3, the target is nginx; what isn't installed is left out. All relays have one thread. pasta's
 * targets are in a namespace of its own, which it relays into; of UDP it isn't asked, because Debian's of 2023 answered in
 * one run and not in the next. Each figure is the median of ROUNDS, and each ratio the median of the ratios within the
 * rounds: the relays of a round follow one another closely, so that a slow minute of the machine hits all of them.
 * `--short` runs one short round and only asserts that everything works; `--only` measures only what has these words in its
 * title, as "new connections".
 *
 * @module
 */

import { assert } from "../assert.ts";
import { freePort } from "../sync/harness.ts";
import { figureLine, medianRatio, provenance, ratioLine } from "./figures.ts";
import { connectionRate, requestRate, roundTripRate, tailLatency, throughput } from "./relay/loads.ts";
import {
  haproxyConfiguration,
  installed,
  listening,
  nginxConfiguration,
  PASTA,
  pastaArguments,
  Programs,
} from "./relay/programs.ts";

const short = Deno.args.includes("--short");
const only = Deno.args.includes("--only") ? Deno.args[Deno.args.indexOf("--only") + 1] ?? "" : "";
const ROUNDS = short ? 1 : 7;
const SECONDS = short ? 1 : 2;

/** socat leaves a process behind for each peer: let it end when the peer has been silent for 5 s. */
const SOCAT_OPTIONS = ["-T5"];

type Relay = "linux" | "haproxy" | "socat" | "pasta" | "portable";

/** One figure for several relays. */
interface Measure {
  readonly title: string;
  readonly unit: string;
  readonly needs: readonly string[];
  /** Port at which each relay is measured. */
  readonly ports: Partial<Record<Relay, number>>;
  measure(port: number): Promise<number>;
  /** Against whom, and by which factor the Linux backend must be at least as high (or at most, where less is better). */
  readonly bars: readonly { readonly relay: Relay; readonly factor: number }[];
  readonly lessIsBetter?: true;
  readonly figures: Map<Relay, number[]>;
}

const tools = installed(["nginx", "wrk", "iperf3", "haproxy", "socat", ...PASTA]);
await using programs = new Programs();
const port = async () => await freePort("tcp");
const udpPort = async () => await freePort("udp");
const [web, stream, datagrams] = [await port(), await port(), await udpPort()];
const webPorts = { linux: await port(), haproxy: await port(), pasta: await port(), portable: await port() };
const streamPorts = {
  linux: await port(),
  haproxy: await port(),
  socat: await port(),
  pasta: await port(),
  portable: await port(),
};
const udpPorts = { linux: await udpPort(), socat: await udpPort(), portable: await udpPort() };

const measures: Measure[] = [
  measureOf("requests over connections that stay", "per second", ["nginx", "wrk"], webPorts, {
    measure: (port) => requestRate(port, SECONDS),
    bars: [{ relay: "haproxy", factor: 1 }],
  }),
  measureOf("new connections", "per second", ["nginx", "wrk"], webPorts, {
    measure: (port) => connectionRate(port, SECONDS),
    bars: [{ relay: "haproxy", factor: 1 }, { relay: "portable", factor: 3 }],
  }),
  measureOf("99 % of requests at half load take at most", "ms", ["nginx", "wrk"], webPorts, {
    measure: async (port) => await tailLatency(port, SECONDS, await halfLoad(), programs.directory),
    bars: [{ relay: "haproxy", factor: 1.2 }],
    lessIsBetter: true,
  }),
  measureOf("one TCP stream", "Gbit/s", ["iperf3"], streamPorts, {
    measure: (port) => throughput(port, SECONDS),
    bars: [{ relay: "haproxy", factor: 1.2 }, { relay: "socat", factor: 1 }],
  }),
  measureOf("UDP round trips of 64 bytes, 16 peers", "per second", [], udpPorts, {
    measure: (port) => roundTripRate(port, SECONDS),
    bars: [{ relay: "socat", factor: 1.5 }],
  }),
];

const chosen = measures.filter(({ title }) => title.includes(only));
assert(chosen.length > 0, `nothing that is measured is called "${only}"`);

await startAll();
for (let round = 0; round < ROUNDS; round++) {
  for (const { ports, figures, measure } of chosen) {
    // Every other round the other way round: whoever comes first finds the processor cooler.
    const relays = Array.from(figures.keys());
    for (const relay of round % 2 === 0 ? relays : relays.toReversed()) {
      const figure = await measure(ports[relay] ?? 0);
      assert(figure > 0, `${relay} gave no figure`);
      figures.get(relay)?.push(figure);
    }
  }
}
if (short) {
  console.log(`Works: ${chosen.filter(({ figures }) => figures.size > 0).map(({ title }) => title).join(", ")}`);
} else report();

function measureOf(
  title: string,
  unit: string,
  needs: readonly string[],
  ports: Partial<Record<Relay, number>>,
  rest: Pick<Measure, "measure" | "bars" | "lessIsBetter">,
): Measure {
  const possible = needs.every((tool) => tools.has(tool));
  const relays: Relay[] = ["linux", "haproxy", "socat", "pasta", "portable"];
  const there = relays.filter((relay) => ports[relay] !== undefined && isThere(relay));
  return { title, unit, needs, ports, ...rest, figures: new Map(possible ? there.map((relay) => [relay, []]) : []) };
}

function isThere(relay: Relay): boolean {
  if (relay === "linux" || relay === "portable") return true;
  return relay === "pasta" ? PASTA.every((tool) => tools.has(tool)) : tools.has(relay);
}

/** Half of what haproxy, or for want of it the Linux backend, has just shown to do, or shows now if it wasn't asked to. */
async function halfLoad(): Promise<number> {
  const [{ figures } = { figures: new Map<Relay, number[]>() }] = measures;
  const relay = tools.has("haproxy") ? "haproxy" : "linux";
  return (figures.get(relay)?.at(-1) ?? await requestRate(webPorts[relay], SECONDS)) / 2;
}

async function startAll(): Promise<void> {
  const self = Deno.execPath();
  const script = (name: string) => ["run", "-A", "--no-check", new URL(`relay/${name}`, import.meta.url).pathname];
  if (tools.has("nginx")) {
    programs.start("nginx", ["-c", programs.write("nginx.conf", nginxConfiguration(programs.directory, web))]);
    await listening(web);
  }
  if (tools.has("iperf3")) programs.start("iperf3", ["-s", "-p", `${stream}`]);
  programs.start(self, [...script("udp.ts"), "echo", `${datagrams}`]);
  if (tools.has("haproxy")) {
    const routes = [[webPorts.haproxy, web], [streamPorts.haproxy, stream]] as const;
    programs.start("haproxy", ["-db", "-f", programs.write("haproxy.cfg", haproxyConfiguration(routes))]);
    await listening(webPorts.haproxy);
  }
  if (tools.has("socat")) {
    const tcp = `TCP4-LISTEN:${streamPorts.socat},bind=127.0.0.1,fork,reuseaddr`;
    programs.start("socat", [...SOCAT_OPTIONS, tcp, `TCP4:127.0.0.1:${stream}`]);
    programs.start("socat", [
      ...SOCAT_OPTIONS,
      `UDP4-LISTEN:${udpPorts.socat},bind=127.0.0.1,fork,reuseaddr`,
      `UDP4:127.0.0.1:${datagrams}`,
    ]);
  }
  if (isThere("pasta")) await startPasta();
  for (const name of ["linux", "portable"] as const) {
    const routes = [
      `tcp:${webPorts[name]}:${web}`,
      `tcp:${streamPorts[name]}:${stream}`,
      `udp:${udpPorts[name]}:${datagrams}`,
    ];
    programs.start(self, [...script("relay.ts"), name, ...routes]);
    await listening(webPorts[name]);
  }
}

/** pasta, with the same targets as the others have, at the same ports of its own namespace. */
async function startPasta(): Promise<void> {
  const inside = `${programs.directory}/inside`;
  await Deno.mkdir(inside);
  const targets: string[][] = [];
  if (tools.has("nginx")) {
    targets.push(["nginx", "-c", programs.write("inside/nginx.conf", nginxConfiguration(inside, web))]);
  }
  if (tools.has("iperf3")) targets.push(["iperf3", "-s", "-p", `${stream}`]);
  programs.start(
    "pasta",
    pastaArguments({
      routes: [[webPorts.pasta, web], [streamPorts.pasta, stream]],
      programs: targets,
    }),
  );
  await listening(webPorts.pasta);
}

function report(): void {
  console.log(provenance());
  console.log(`Medians of ${ROUNDS} runs of ${SECONDS} s; in parentheses the lowest and the highest\n`);
  for (const { title, unit, figures, bars, lessIsBetter, needs } of chosen) {
    if (figures.size === 0) {
      console.log(`${title}: left out, because this needs ${needs.join(" and ")}\n`);
      continue;
    }
    console.log(`${title} (${unit})`);
    for (const [relay, values] of figures) console.log(figureLine(relay, values));
    for (const { relay, factor } of bars) {
      const [ours, theirs] = [figures.get("linux"), figures.get(relay)];
      if (ours === undefined || theirs === undefined) continue;
      const ratio = medianRatio(ours, theirs);
      console.log(ratioLine(ratio, relay, lessIsBetter ? { atMost: factor } : { atLeast: factor }));
    }
    console.log();
  }
}
