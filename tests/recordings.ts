/**
 * The recorded exchanges between released programs, in `fixtures/wire/`, with their bytes taken apart by hand: what a
 * server listed and what a client sent, in either version of the released dialect.
 *
 * @module
 */

import type { Rule } from "../codec/types.ts";
import { fromHex } from "./hex.ts";
import { readRecord, ruleOf } from "./oracle/record.ts";

/** One run of the released client. */
export interface Exchange {
  readonly args: readonly string[];
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
  /** In hexadecimal, as all that was sent. */
  readonly server_sent: string;
  readonly client_sent: string;
  /** What a listing right after it said: bytes, and the released client's text. */
  readonly listed_after: string;
  readonly shown_after: string;
}

/** A file of exchanges with one server, in order. */
export interface Recording {
  readonly file: string;
  readonly peer: string;
  /** First and last. */
  readonly ephemeral_ports: readonly [number, number];
  readonly exchanges: readonly Exchange[];
}

/** A pif and its rules, as a server listed them. */
export interface RecordedPif {
  readonly id: number;
  readonly name: string;
  readonly capabilities: number;
  readonly rules: Rule[];
}

const FOLDER = new URL("fixtures/wire/", import.meta.url);

/** Every recording. */
export function recordings(): Recording[] {
  return ["pasta-v1.json", "pasta-v2.json", "passt-v2.json"].map((file) => ({
    file,
    ...JSON.parse(Deno.readTextFileSync(new URL(file, FOLDER))),
  }));
}

/** What a server listed. */
export function listedPifs(hex: string): { version: number; pifs: RecordedPif[] } {
  const bytes = fromHex(hex);
  const view = new DataView(bytes.buffer);
  const version = view.getUint32(8);
  const pifs: RecordedPif[] = [];
  let at = 20;
  for (let id = view.getUint8(at); id !== 0; id = view.getUint8(at)) {
    const name = new TextDecoder().decode(bytes.subarray(at + 1, bytes.indexOf(0, at + 1)));
    const capabilities = view.getUint32(at + 129);
    const count = view.getUint32(at + 133);
    at += 137;
    const rules = rulesAt(bytes, at, count, version);
    at += count * recordSize(version);
    pifs.push({ id, name, capabilities, rules });
  }
  return { version, pifs };
}

/** What a client sent: rules by pif id. */
export function sentTables(hex: string, version: number): Map<number, Rule[]> {
  const bytes = fromHex(hex);
  const view = new DataView(bytes.buffer);
  const tables = new Map<number, Rule[]>();
  let at = 0;
  for (let id = view.getUint8(at); id !== 0; id = view.getUint8(at)) {
    const count = view.getUint32(at + 1);
    at += 5;
    tables.set(id, rulesAt(bytes, at, count, version));
    at += count * recordSize(version);
  }
  return tables;
}

function recordSize(version: number): number {
  return version === 1 ? 40 : 56;
}

/** A version-1 record is a version-2 one without the 16 bytes of the target address. */
function rulesAt(bytes: Uint8Array, at: number, count: number, version: number): Rule[] {
  const size = recordSize(version);
  return Array.from({ length: count }, (_, index) => {
    const source = bytes.subarray(at + index * size, at + (index + 1) * size);
    const record = new Uint8Array(64);
    record.set(source.subarray(0, 16));
    record.set(source.subarray(16), version === 1 ? 32 : 16);
    return ruleOf(readRecord(record));
  });
}
