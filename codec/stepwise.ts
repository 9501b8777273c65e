/**
 * A decoder that is written down as a script: a generator that asks for its bytes field by field, as if they were all
 * there, and is suspended until they are.
 *
 * Theory of operation.
 *
 *     asking for n bytes ── they are there ──▶ the script runs ──▶ asking for m bytes
 *              │                                      └─ throws ──▶ dead
 *              └─ hang-up ──▶ fine if the script said so, otherwise truncated
 *
 * A fault takes with it the events that the same bytes have completed: what follows an update in one piece tells a stray
 * program from a client, where no magic does.
 *
 * Bytes that came too early for their field are kept in a buffer of just that field's size: nothing is stored but the
 * one field that is incomplete.
 *
 * @module
 */

import { hungUp, type Speaker } from "./demands.ts";
import type { Decoder } from "./dialect.ts";

/** What a script needs to go on. */
export interface Want {
  /** How many, at least 1. */
  readonly bytes: number;
  /** Whether the other side may hang up instead. */
  readonly mayEnd?: boolean;
}

/** Asks for bytes and is given exactly as many, in a view that is good until it asks again. It never ends. */
export type Script = Generator<Want, never, Uint8Array>;

/** Runs a script over bytes that come in pieces. */
export class StepwiseDecoder<Event> implements Decoder<Event> {
  readonly #speaker: Speaker;
  readonly #subject: string;
  readonly #script: Script;
  #want: Want;
  #events: Event[] = [];
  /** The first `#gathered` bytes of the wanted ones, once a piece of them has come alone. */
  #buffer: Uint8Array | undefined;
  #gathered = 0;
  #fault: { readonly error: unknown } | undefined;

  /**
   * @param subject what the speaker is in the middle of, for the sentence about a hang-up
   * @param begin makes the script; what that passes to `emit` is returned by the `push` that made it run
   */
  constructor(speaker: Speaker, subject: string, begin: (emit: (event: Event) => void) => Script) {
    this.#speaker = speaker;
    this.#subject = subject;
    this.#script = begin((event) => this.#events.push(event));
    // A generator is given nothing before its first question, whatever its type says.
    this.#want = this.#script.next(new Uint8Array(0)).value;
  }

  push(bytes: Uint8Array): Event[] {
    if (this.#fault !== undefined) throw this.#fault.error;
    this.#events = [];
    try {
      for (let at = 0; at < bytes.length;) {
        const piece = bytes.subarray(at, at + this.#want.bytes - this.#gathered);
        at += piece.length;
        const field = this.#completed(piece);
        if (field !== undefined) this.#want = this.#script.next(field).value;
      }
    } catch (error) {
      this.#fault = { error };
      throw error;
    }
    return this.#events;
  }

  finish(): void {
    if (this.#fault !== undefined) throw this.#fault.error;
    if (this.#want.mayEnd && this.#gathered === 0) return;
    throw hungUp(this.#speaker, this.#subject);
  }

  /** The wanted bytes if this piece completes them. */
  #completed(piece: Uint8Array): Uint8Array | undefined {
    if (piece.length === this.#want.bytes) return piece;
    this.#buffer ??= new Uint8Array(this.#want.bytes);
    this.#buffer.set(piece, this.#gathered);
    this.#gathered += piece.length;
    if (this.#gathered < this.#want.bytes) return undefined;
    const field = this.#buffer;
    this.#buffer = undefined;
    this.#gathered = 0;
    return field;
  }
}
