/**
 * The incremental decoders of the native dialect.
 *
 * Theory of operation. Each side's bytes are a magic, then frames. The magic is compared byte by byte, the frames are put
 * together by native_frame.ts, and a conversation says which may stand where. It is asked as soon as a frame's header is
 * there, before memory is taken for the payload.
 *
 *     client   opening ─UPDATE▶ tables ─TABLE RULES…▶ tables … ─END▶ apply ─APPLY▶ decision ─COMMIT, ROLLBACK▶ over
 *                                                      (not staged) ─END▶ over
 *              opening ─COMMIT, ROLLBACK▶ over, for another client's table
 *
 *     server   hello ─HELLO▶ listing ─PIF RULES… PORTS…▶ listing … ─END▶ answer
 *              answer ─ACCEPTED▶ applied ─RESULT▶ report, another to come
 *              answer ─RESULT▶ report, the only one
 *              report ─TABLE RULES…▶ report … ─PORTS▶ failures … ─END▶ applied for the last one, or over
 *              answer, applied ─REJECTED▶ over
 *
 * A fault is final: the decoder throws the same error again whatever comes. What came whole before it in the same bytes is
 * handed on first, so that nothing depends on how they were cut.
 *
 * @module
 */

import { CLIENT_MAGIC, SERVER_MAGIC } from "./constants.ts";
import { badMagic, demandRuleCount, hungUp, type Speaker } from "./demands.ts";
import type { ClientLimits, Decoder } from "./dialect.ts";
import { FrameAssembler, type FrameName } from "./native_frame.ts";
import {
  decodeHello,
  decodePif,
  decodePifId,
  decodePorts,
  decodeTable,
  decodeUpdate,
  decodeVerdict,
} from "./native_payloads.ts";
import { TableCounter, unexpected } from "./native_tables.ts";
import type { ClientEvent, ServerEvent, UpdateHeader } from "./types.ts";

/** What one side may say in which order. */
interface Conversation<Event> {
  readonly magic: Uint8Array;
  /** For error sentences: who speaks. */
  readonly speaker: Speaker;
  readonly tables: TableCounter;
  /** The frames that may follow what was said, apart from those that are counted: RULES, and PORTS in a listing. */
  allowed(): readonly FrameName[];
  /** The event that a complete frame, one of the allowed ones, is. */
  event(name: FrameName, payload: DataView): Event;
  /** The event for records of the table at hand. */
  rules(pif: number, records: Uint8Array): Event;
}

/** Decodes a conversation of any length; see the head of this file. */
class NativeDecoder<Event> implements Decoder<Event> {
  readonly #conversation: Conversation<Event>;
  readonly #frames: FrameAssembler;
  #magicArrived = 0;
  #events: Event[] = [];
  #fault: { readonly error: unknown } | undefined;

  constructor(conversation: Conversation<Event>) {
    this.#conversation = conversation;
    const { tables } = conversation;
    this.#frames = new FrameAssembler({
      expect: (name, payloadLength) => {
        const allowed = conversation.allowed();
        if (!tables.covers(name, payloadLength, allowed) && !allowed.includes(name)) throw unexpected(name, allowed);
      },
      take: (name, payload) => {
        if (name === "RULES") {
          this.#events.push(conversation.rules(tables.pif, tables.take(payload)));
        } else {
          const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
          this.#events.push(conversation.event(name, view));
        }
      },
    });
  }

  push(bytes: Uint8Array): Event[] {
    if (this.#fault) throw this.#fault.error;
    try {
      this.#frames.push(bytes.subarray(this.#takeMagic(bytes)));
    } catch (error) {
      this.#fault = { error };
      if (this.#events.length === 0) throw error;
    }
    return this.#events.splice(0);
  }

  finish(): void {
    if (this.#fault) throw this.#fault.error;
    const { magic, speaker, tables } = this.#conversation;
    const inMagic = this.#magicArrived > 0 && this.#magicArrived < magic.length;
    if (!inMagic && !this.#frames.inside && !tables.inside) return;
    const where = inMagic ? "its magic" : this.#frames.inside ? "a frame" : `the table of pif ${tables.pif}`;
    throw hungUp(speaker, where);
  }

  /** How many of these bytes are the magic's. */
  #takeMagic(bytes: Uint8Array): number {
    const { magic, speaker } = this.#conversation;
    let taken = 0;
    while (this.#magicArrived < magic.length && taken < bytes.length) {
      if (bytes[taken] !== magic[this.#magicArrived]) throw badMagic(speaker, magic);
      this.#magicArrived++;
      taken++;
    }
    return taken;
  }
}

/** What a client says. */
class ClientConversation implements Conversation<ClientEvent> {
  readonly magic = CLIENT_MAGIC;
  readonly speaker = "client";
  readonly tables = new TableCounter("client");
  readonly #limits: ClientLimits;
  #state: "opening" | "tables" | "apply" | "decision" | "over" = "opening";
  #mode: UpdateHeader["mode"] = "staged";
  #tablesLeft = 0;

  constructor(limits: ClientLimits) {
    this.#limits = limits;
  }

  allowed(): readonly FrameName[] {
    switch (this.#state) {
      case "opening":
        return ["UPDATE", "COMMIT", "ROLLBACK"];
      case "tables":
        // With records missing, either would mean that there are too few.
        if (this.tables.lacksRecords) return ["TABLE", "END"];
        return this.#tablesLeft > 0 ? ["TABLE"] : ["END"];
      case "apply":
        return ["APPLY"];
      case "decision":
        return ["COMMIT", "ROLLBACK"];
      case "over":
        return [];
      default:
        return this.#state satisfies never;
    }
  }

  event(name: FrameName, payload: DataView): ClientEvent {
    switch (name) {
      case "UPDATE": {
        const header = decodeUpdate(payload, this.#limits.maxPifs);
        this.#state = "tables";
        this.#mode = header.mode;
        this.#tablesLeft = header.pifCount;
        return { kind: "update", header };
      }
      case "TABLE": {
        const { pif, ruleCount } = decodeTable(payload);
        this.tables.name(pif);
        demandRuleCount(pif, ruleCount, this.#limits.maxRules);
        this.tables.begin(pif, ruleCount);
        this.#tablesLeft--;
        return { kind: "table", pif, ruleCount };
      }
      case "END":
        this.tables.end();
        this.#state = this.#mode === "staged" ? "apply" : "over";
        return { kind: "end" };
      case "APPLY":
        this.#state = "decision";
        return { kind: "apply" };
      case "COMMIT":
      case "ROLLBACK":
        this.#state = "over";
        return { kind: name === "COMMIT" ? "commit" : "rollback" };
      default:
        throw unexpected(name, this.allowed());
    }
  }

  rules(pif: number, records: Uint8Array): ClientEvent {
    return { kind: "rules", pif, records };
  }
}

/** What a server says. */
class ServerConversation implements Conversation<ServerEvent> {
  readonly magic = SERVER_MAGIC;
  readonly speaker = "server";
  readonly tables = new TableCounter("server");
  #state: "hello" | "listing" | "answer" | "applied" | "report" | "failures" | "over" = "hello";
  /** How many reports may still follow. */
  #reportsLeft = 1;

  allowed(): readonly FrameName[] {
    switch (this.#state) {
      case "hello":
        return ["HELLO"];
      case "listing":
        // With records missing, any of them would mean that there are too few.
        return this.tables.lacksRecords ? ["PIF", "PORTS", "END"] : ["PIF", "END"];
      case "answer":
        return ["ACCEPTED", "REJECTED", "RESULT"];
      case "applied":
        return ["REJECTED", "RESULT"];
      case "report":
        return ["TABLE", "PORTS", "END"];
      case "failures":
        return ["PORTS", "END"];
      case "over":
        return [];
      default:
        return this.#state satisfies never;
    }
  }

  event(name: FrameName, payload: DataView): ServerEvent {
    switch (name) {
      case "HELLO": {
        const hello = decodeHello(payload);
        this.#state = "listing";
        return { kind: "hello", hello };
      }
      case "PIF": {
        this.tables.name(decodePifId(payload));
        const pif = decodePif(payload);
        this.tables.begin(pif.id, pif.ruleCount, pif.runCount);
        return { kind: "pif", pif };
      }
      case "ACCEPTED":
        this.#state = "applied";
        this.#reportsLeft = 2;
        return { kind: "accepted" };
      case "REJECTED": {
        const verdict = decodeVerdict(name, payload);
        this.#state = "over";
        return { kind: "rejected", verdict };
      }
      case "RESULT": {
        const verdict = decodeVerdict(name, payload);
        this.#state = "report";
        this.#reportsLeft--;
        this.tables.restart();
        return { kind: "result", verdict };
      }
      case "TABLE": {
        const { pif, ruleCount } = decodeTable(payload);
        this.tables.name(pif);
        this.tables.begin(pif, ruleCount);
        return { kind: "table", pif, ruleCount };
      }
      case "PORTS": {
        const failure = decodePorts(payload, this.#state === "listing" ? this.tables : undefined);
        if (this.#state === "listing") {
          this.tables.takeRuns(failure.ports.length);
        } else {
          this.tables.end();
          this.#state = "failures";
        }
        return { kind: "ports", failure };
      }
      case "END":
        return this.#end();
      default:
        throw unexpected(name, this.allowed());
    }
  }

  rules(pif: number, records: Uint8Array): ServerEvent {
    return { kind: "rules", pif, records };
  }

  #end(): ServerEvent {
    this.tables.end();
    if (this.#state === "listing") {
      this.#state = "answer";
      return { kind: "listed" };
    }
    this.#state = this.#reportsLeft > 0 ? "applied" : "over";
    return { kind: "reported" };
  }
}

/** A decoder for what a client sends. */
export function clientDecoder(limits: ClientLimits): Decoder<ClientEvent> {
  return new NativeDecoder(new ClientConversation(limits));
}

/** A decoder for what a server sends. */
export function serverDecoder(): Decoder<ServerEvent> {
  return new NativeDecoder(new ServerConversation());
}
