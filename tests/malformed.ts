/**
 * Bytes that break the native dialect, each in one way, with the code that names it. Built with the oracle's encoder
 * from PROTOCOL.md.
 *
 * @module
 */

import type { Code } from "../codec/types.ts";
import { concat } from "./bytes.ts";
import { CLIENT_MAGIC_BYTES, frame, SERVER_MAGIC_BYTES, TYPE, u16, u32, u64 } from "./oracle/frames.ts";
import { recordOf, writeRecord } from "./oracle/record.ts";

/** One way of breaking the protocol. */
export interface Malformed {
  readonly name: string;
  readonly sender: "client" | "server";
  readonly bytes: Uint8Array;
  readonly code: Code;
}

type Sender = Malformed["sender"];
type TypeName = keyof typeof TYPE;

/** A point in a conversation: what was sent until then, and the frames that may follow. */
interface State {
  readonly name: string;
  readonly sender: Sender;
  readonly before: readonly Uint8Array[];
  readonly allowed: readonly TypeName[];
  /** Frames that mean here that there are more or fewer records than announced. */
  readonly miscounted?: readonly TypeName[];
  /** Frames that mean the same of the runs of a listed pif's ports. */
  readonly runsMiscounted?: readonly TypeName[];
}

/** Payload lengths at the edge of what each type may have. */
const LENGTHS: Readonly<Record<TypeName, { least: number; most: number; wrong: readonly number[] }>> = {
  HELLO: { least: 40, most: 40, wrong: [0, 39, 41] },
  PIF: { least: 160, most: 160, wrong: [0, 159, 161] },
  RULES: { least: 64, most: 65536, wrong: [0, 63, 65, 100, 65535, 65537, 65600] },
  END: { least: 0, most: 0, wrong: [1, 8] },
  TABLE: { least: 8, most: 8, wrong: [0, 7, 9] },
  PORTS: { least: 16, most: 65536, wrong: [0, 8, 15, 17, 20, 65537, 65544] },
  UPDATE: { least: 24, most: 24, wrong: [0, 23, 25] },
  APPLY: { least: 0, most: 0, wrong: [1] },
  COMMIT: { least: 0, most: 0, wrong: [1] },
  ROLLBACK: { least: 0, most: 0, wrong: [1] },
  ACCEPTED: { least: 0, most: 0, wrong: [1] },
  REJECTED: { least: 48, most: 1072, wrong: [0, 47, 1073] },
  RESULT: { least: 48, most: 1072, wrong: [0, 47, 1073] },
};

const RECORD = writeRecord(recordOf({
  protocol: "tcp",
  address: "127.0.0.1",
  firstPort: 80,
  lastPort: 80,
  targetPort: 8080,
  weak: false,
  scan: false,
}));

const NO_RULE = 0xffffffff;
const CLIENT_MAGIC = Uint8Array.from(CLIENT_MAGIC_BYTES);
const SERVER_MAGIC = Uint8Array.from(SERVER_MAGIC_BYTES);
const END = frame(TYPE.END);
const HELLO = helloFrame([1, 1]);
const RULE = frame(TYPE.RULES, RECORD);
const RESULT = verdictFrame(TYPE.RESULT, 0, 0);
const REJECTED = verdictFrame(TYPE.REJECTED, 1, 12);
const ACCEPTED = frame(TYPE.ACCEPTED);
const APPLY = frame(TYPE.APPLY);

const LISTED = [SERVER_MAGIC, HELLO, END];
const STAGED = [CLIENT_MAGIC, updateFrame({ mode: 1, pifs: 0 }), END];

const STATES: readonly State[] = [
  {
    name: "after the client's magic",
    sender: "client",
    before: [CLIENT_MAGIC],
    allowed: ["UPDATE", "COMMIT", "ROLLBACK"],
  },
  {
    name: "after COMMIT of another client's table",
    sender: "client",
    before: [CLIENT_MAGIC, frame(TYPE.COMMIT)],
    allowed: [],
  },
  {
    name: "after ROLLBACK of another client's table",
    sender: "client",
    before: [CLIENT_MAGIC, frame(TYPE.ROLLBACK)],
    allowed: [],
  },
  {
    name: "before the first table",
    sender: "client",
    before: [CLIENT_MAGIC, updateFrame({ pifs: 2 })],
    allowed: ["TABLE"],
  },
  {
    name: "before the second table",
    sender: "client",
    before: [CLIENT_MAGIC, updateFrame({ pifs: 2 }), tableFrame(1, 0)],
    allowed: ["TABLE"],
    miscounted: ["RULES"],
  },
  {
    name: "before a table's first record",
    sender: "client",
    before: [CLIENT_MAGIC, updateFrame({ pifs: 2 }), tableFrame(1, 2)],
    allowed: ["RULES"],
    miscounted: ["TABLE", "END"],
  },
  {
    name: "before a table's last record",
    sender: "client",
    before: [CLIENT_MAGIC, updateFrame({ pifs: 1 }), tableFrame(1, 2), RULE],
    allowed: ["RULES"],
    miscounted: ["TABLE", "END"],
  },
  {
    name: "after the last table",
    sender: "client",
    before: [CLIENT_MAGIC, updateFrame({ pifs: 1 }), tableFrame(1, 1), RULE],
    allowed: ["END"],
    miscounted: ["RULES"],
  },
  { name: "after a staged update", sender: "client", before: STAGED, allowed: ["APPLY"] },
  { name: "after APPLY", sender: "client", before: [...STAGED, APPLY], allowed: ["COMMIT", "ROLLBACK"] },
  {
    name: "after COMMIT",
    sender: "client",
    before: [...STAGED, APPLY, frame(TYPE.COMMIT)],
    allowed: [],
  },
  {
    name: "after ROLLBACK",
    sender: "client",
    before: [...STAGED, APPLY, frame(TYPE.ROLLBACK)],
    allowed: [],
  },
  {
    name: "after a one-shot update",
    sender: "client",
    before: [CLIENT_MAGIC, updateFrame({ mode: 2, pifs: 0 }), END],
    allowed: [],
  },
  {
    name: "after a check",
    sender: "client",
    before: [CLIENT_MAGIC, updateFrame({ mode: 3, pifs: 0 }), END],
    allowed: [],
  },
  { name: "after the server's magic", sender: "server", before: [SERVER_MAGIC], allowed: ["HELLO"] },
  { name: "after HELLO", sender: "server", before: [SERVER_MAGIC, HELLO], allowed: ["PIF", "END"] },
  {
    name: "before a pif's first record",
    sender: "server",
    before: [SERVER_MAGIC, HELLO, pifFrame({ rules: 1 })],
    allowed: ["RULES"],
    miscounted: ["PIF", "PORTS", "END"],
  },
  {
    name: "after a pif's last record",
    sender: "server",
    before: [SERVER_MAGIC, HELLO, pifFrame({ rules: 1 }), RULE],
    allowed: ["PIF", "END"],
    miscounted: ["RULES"],
    runsMiscounted: ["PORTS"],
  },
  {
    name: "before a pif's first record, with ports to come",
    sender: "server",
    before: [SERVER_MAGIC, HELLO, pifFrame({ rules: 1, runs: 1 })],
    allowed: ["RULES"],
    miscounted: ["PIF", "PORTS", "END"],
  },
  {
    name: "before a pif's first ports",
    sender: "server",
    before: [SERVER_MAGIC, HELLO, pifFrame({ rules: 1, runs: 2 }), RULE],
    allowed: ["PORTS"],
    miscounted: ["RULES"],
    runsMiscounted: ["PIF", "END"],
  },
  {
    name: "before a pif's last ports",
    sender: "server",
    before: [SERVER_MAGIC, HELLO, pifFrame({ rules: 1, runs: 2 }), RULE, portsFrame([80, 80, 98, 0])],
    allowed: ["PORTS"],
    runsMiscounted: ["PIF", "END"],
  },
  {
    name: "after a pif's last ports",
    sender: "server",
    before: [SERVER_MAGIC, HELLO, pifFrame({ rules: 1, runs: 1 }), RULE, portsFrame([80, 80, 98, 0])],
    allowed: ["PIF", "END"],
    runsMiscounted: ["PORTS"],
  },
  { name: "after the listing", sender: "server", before: LISTED, allowed: ["ACCEPTED", "REJECTED", "RESULT"] },
  { name: "after ACCEPTED", sender: "server", before: [...LISTED, ACCEPTED], allowed: ["REJECTED", "RESULT"] },
  { name: "after REJECTED", sender: "server", before: [...LISTED, REJECTED], allowed: [] },
  { name: "after RESULT", sender: "server", before: [...LISTED, RESULT], allowed: ["TABLE", "PORTS", "END"] },
  {
    name: "before a reported record",
    sender: "server",
    before: [...LISTED, RESULT, tableFrame(1, 1)],
    allowed: ["RULES"],
    miscounted: ["TABLE", "END", "PORTS"],
  },
  {
    name: "after a reported table",
    sender: "server",
    before: [...LISTED, RESULT, tableFrame(1, 1), RULE],
    allowed: ["TABLE", "PORTS", "END"],
    miscounted: ["RULES"],
  },
  {
    name: "after PORTS",
    sender: "server",
    before: [...LISTED, RESULT, portsFrame([80, 80, 98, 0])],
    allowed: ["PORTS", "END"],
  },
  {
    name: "after the report of APPLY",
    sender: "server",
    before: [...LISTED, ACCEPTED, RESULT, END],
    allowed: ["REJECTED", "RESULT"],
  },
  { name: "after the report of a one-shot update", sender: "server", before: [...LISTED, RESULT, END], allowed: [] },
  {
    name: "after the last report",
    sender: "server",
    before: [...LISTED, ACCEPTED, RESULT, END, RESULT, END],
    allowed: [],
  },
];

/** Every malformed conversation. */
export function malformedConversations(): Malformed[] {
  return [...wrongMagic(), ...wrongOrder(), ...wrongHeaders(), ...wrongFields("client"), ...wrongFields("server")];
}

function* wrongMagic(): Iterable<Malformed> {
  for (const [sender, magic] of [["client", CLIENT_MAGIC], ["server", SERVER_MAGIC]] as const) {
    for (let at = 0; at < magic.length; at++) {
      const bytes = magic.slice(0, at + 1);
      bytes[at] = (bytes[at] ?? 0) ^ 0x20;
      yield { name: `byte ${at} of the ${sender}'s magic`, sender, bytes, code: "bad-magic" };
    }
  }
  yield { name: "the server's magic from a client", sender: "client", bytes: SERVER_MAGIC, code: "bad-magic" };
  yield { name: "the client's magic from a server", sender: "server", bytes: CLIENT_MAGIC, code: "bad-magic" };
}

function* wrongOrder(): Iterable<Malformed> {
  for (const { name, sender, before, allowed, miscounted = [], runsMiscounted = [] } of STATES) {
    for (const type of Object.keys(TYPE) as TypeName[]) {
      if (allowed.includes(type)) continue;
      const bytes = concat([...before, frame(TYPE[type], new Uint8Array(LENGTHS[type].least))]);
      const code = miscounted.includes(type)
        ? "rule-count"
        : runsMiscounted.includes(type)
        ? "run-count"
        : "unexpected-frame";
      yield { name: `${type} ${name}`, sender, bytes, code };
    }
  }
}

/** Faults of a frame's first eight bytes, in every state that allows the type; no payload follows. */
function* wrongHeaders(): Iterable<Malformed> {
  for (const { name, sender, before, allowed, runsMiscounted = [] } of STATES) {
    const header = (type: number, zero: number, length: number) =>
      concat([...before, Uint8Array.from([...u16(type), ...u16(zero), ...u32(length)])]);
    for (const type of allowed) {
      const { least, most, wrong } = LENGTHS[type];
      for (const length of [...wrong, 0x00ffffff, 0x7fffffc0, 0x80000000, 0xffffffc0, 0xffffffff]) {
        const bytes = header(TYPE[type], 0, length);
        yield { name: `${type} of ${length} bytes ${name}`, sender, bytes, code: "frame-length" };
      }
      for (const zero of [1, 0x100, 0xffff]) {
        const bytes = header(TYPE[type], zero, least);
        yield { name: `${type} with a nonzero header ${name}`, sender, bytes, code: "reserved-bytes" };
      }
      if (type === "RULES" && most > least) {
        yield { name: `too many RULES ${name}`, sender, bytes: header(TYPE.RULES, 0, 65536), code: "rule-count" };
      }
    }
    if (allowed.includes("PORTS") && runsMiscounted.length > 0) {
      yield { name: `too many runs in PORTS ${name}`, sender, bytes: header(TYPE.PORTS, 0, 65536), code: "run-count" };
    }
    for (const type of [0, 0x0007, 0x000f, 0x0014, 0x001f, 0x0023, 0x0100, 0x0101, 0x7265, 0xffff]) {
      const bytes = header(type, 0, 0);
      yield { name: `type ${type} ${name}`, sender, bytes, code: "unknown-frame" };
    }
  }
}

function* wrongFields(sender: Sender): Iterable<Malformed> {
  const fields = sender === "client" ? clientFields() : serverFields();
  for (const [name, code, frames] of fields) yield { name, sender, bytes: concat(frames), code };
}

type Field = readonly [name: string, code: Code, frames: readonly Uint8Array[]];

function* clientFields(): Iterable<Field> {
  const opened = (last: Uint8Array): Uint8Array[] => [CLIENT_MAGIC, last];
  yield ["version 0", "unsupported-version", opened(updateFrame({ version: 0 }))];
  for (const mode of [0, 4, 0x100, 0xffff]) yield [`mode ${mode}`, "bad-field", opened(updateFrame({ mode }))];
  for (const flags of [4, 7, 0x80000000, 0xfffffffc]) {
    yield [`update flags ${flags}`, "bad-field", opened(updateFrame({ flags }))];
  }
  yield ["any base and one", "bad-field", opened(updateFrame({ flags: 1, base: 7n }))];
  for (const pifs of [256, 0xffffffff]) yield [`${pifs} tables`, "bad-field", opened(updateFrame({ pifs }))];

  const updated = (...rest: Uint8Array[]): Uint8Array[] => [CLIENT_MAGIC, updateFrame({ pifs: 2 }), ...rest];
  for (const pif of [0, 256, 0xffffffff]) yield [`a table of pif ${pif}`, "bad-field", updated(tableFrame(pif, 0))];
  yield ["a pif twice", "duplicate-pif", updated(tableFrame(5, 0), tableFrame(5, 0))];
  for (const count of [65536, 0x01000001, 0xffffffff]) {
    yield [`a table of ${count} rules`, "too-many-rules", updated(tableFrame(1, count))];
  }
  for (let at = 56; at < 64; at++) {
    const records = concat([RECORD, RECORD]);
    records[64 + at] = 1;
    yield [`byte ${at} of a record`, "reserved-bytes", updated(tableFrame(1, 2), frame(TYPE.RULES, records))];
  }
}

function* serverFields(): Iterable<Field> {
  for (let at = 36; at < 40; at++) {
    yield [`byte ${at} of HELLO`, "reserved-bytes", [SERVER_MAGIC, withByte(HELLO, at, 1)]];
  }
  yield ["min_compat 2", "unsupported-version", [SERVER_MAGIC, helloFrame([2, 2])]];

  const greeted = (...rest: Uint8Array[]): Uint8Array[] => [SERVER_MAGIC, HELLO, ...rest];
  for (const id of [0, 256, 0xffffffff]) yield [`pif ${id}`, "bad-field", greeted(pifFrame({ id }))];
  yield ["a listed pif twice", "duplicate-pif", greeted(pifFrame({}), pifFrame({}))];
  yield ["an empty name", "bad-field", greeted(pifFrame({ name: [] }))];
  yield ["a name without an end", "bad-field", greeted(pifFrame({ name: new Array(128).fill(0x61) }))];
  yield ["a name with bytes after its end", "bad-field", greeted(pifFrame({ name: [0x61, 0, 0x62] }))];
  for (const name of [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0x61, 0xf5, 0x80, 0x80, 0x80]]) {
    yield [`a name of bytes ${name}`, "bad-field", greeted(pifFrame({ name }))];
  }
  for (const [at, code] of [[56, "bad-field"], [60, "reserved-bytes"], [63, "reserved-bytes"]] as const) {
    const records = Uint8Array.from(RECORD);
    records[at] = 1;
    yield [`byte ${at} of a listed record`, code, greeted(pifFrame({ rules: 1 }), frame(TYPE.RULES, records))];
  }
  const status5 = Uint8Array.from(RECORD);
  status5[57] = 5;
  yield ["status 5", "bad-field", greeted(pifFrame({ rules: 1 }), frame(TYPE.RULES, status5))];

  const listing = (ports: Uint8Array) => greeted(pifFrame({ rules: 1, runs: 2 }), RULE, ports);
  const run = [80, 80, 98, 0];
  for (const pif of [0, 2, 256]) yield [`listed ports of pif ${pif}`, "bad-field", listing(portsFrame(run, { pif }))];
  for (const rule of [1, NO_RULE]) {
    yield [`listed ports of rule ${rule}`, "bad-field", listing(portsFrame(run, { rule }))];
  }
  yield ["listed ports in reverse", "bad-field", listing(portsFrame([80, 79, 98, 0]))];
  yield ["a nonzero end of a listed run", "reserved-bytes", listing(portsFrame([...run, 81, 81, 98, 1]))];

  for (
    const [outcome, code] of [[8, 12], [0xffff, 12], [1, 23], [1, 54], [1, 67], [1, 0xffff], [0, 0], [2, 64], [3, 65]]
  ) {
    const rejected = verdictFrame(TYPE.REJECTED, outcome ?? 0, code ?? 0);
    yield [`REJECTED with outcome ${outcome} and code ${code}`, "bad-field", [...LISTED, rejected]];
  }
  for (const [outcome, code] of [[8, 12], [2, 31], [2, 54], [2, 0x100], [1, 12], [4, 48], [5, 49], [6, 40], [7, 32]]) {
    const result = verdictFrame(TYPE.RESULT, outcome ?? 0, code ?? 0);
    yield [`RESULT with outcome ${outcome} and code ${code}`, "bad-field", [...LISTED, result]];
  }
  for (const sentence of [[0x80], [0x61, 0xe2, 0x86]]) {
    yield [`a sentence of bytes ${sentence}`, "bad-field", [
      ...LISTED,
      verdictFrame(TYPE.REJECTED, 1, 12, sentence),
    ]];
  }

  const reporting = (...rest: Uint8Array[]): Uint8Array[] => [...LISTED, RESULT, ...rest];
  for (const pif of [0, 256]) yield [`a reported table of pif ${pif}`, "bad-field", reporting(tableFrame(pif, 0))];
  yield ["a reported pif twice", "duplicate-pif", reporting(tableFrame(5, 0), tableFrame(5, 0))];
  yield ["ports in reverse", "bad-field", reporting(portsFrame([80, 79, 98, 0]))];
  yield ["port 0", "bad-field", reporting(portsFrame([0, 79, 98, 0]))];
  yield ["a nonzero end of a run", "reserved-bytes", reporting(portsFrame([80, 80, 98, 0, 81, 81, 98, 1]))];
}

function updateFrame(
  { version = 1, mode = 1, flags = 0, base = 0n, pifs = 1 }: {
    version?: number;
    mode?: number;
    flags?: number;
    base?: bigint;
    pifs?: number;
  },
): Uint8Array {
  return frame(TYPE.UPDATE, [...u16(version), ...u16(mode), ...u32(flags), ...u64(base), ...u32(0), ...u32(pifs)]);
}

function tableFrame(pif: number, rules: number): Uint8Array {
  return frame(TYPE.TABLE, [...u32(pif), ...u32(rules)]);
}

function helloFrame([version, minCompat]: [number, number]): Uint8Array {
  return frame(TYPE.HELLO, [...u16(version), ...u16(minCompat), ...new Uint8Array(36)]);
}

function pifFrame(
  { id = 1, rules = 0, runs = 0, name = [0x48] }: { id?: number; rules?: number; runs?: number; name?: number[] },
): Uint8Array {
  const padding = new Uint8Array(128 - name.length);
  const numbers = [id, 0, rules, runs].flatMap(u32);
  return frame(TYPE.PIF, [...numbers, ...new Uint8Array(16), ...name, ...padding]);
}

function verdictFrame(type: number, outcome: number, code: number, sentence: readonly number[] = []): Uint8Array {
  const noRules = [...u32(NO_RULE), ...u32(NO_RULE)];
  return frame(type, [...u16(outcome), ...u16(code), ...u32(0), ...noRules, ...new Uint8Array(32), ...sentence]);
}

function portsFrame(fields: readonly number[], { pif = 1, rule = 0 } = {}): Uint8Array {
  return frame(TYPE.PORTS, [...u32(pif), ...u32(rule), ...fields.flatMap(u16)]);
}

/** The frame with another byte in its payload. */
function withByte(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[8 + at] = value;
  return changed;
}
