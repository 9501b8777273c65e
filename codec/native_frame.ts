/**
 * Frames of the native dialect: how one is made, and how bytes that are cut anywhere become whole ones.
 *
 * @module
 */

import { CODE, FRAME, FRAME_HEADER_SIZE, PAYLOAD_LENGTH } from "./constants.ts";
import { core } from "./core.ts";
import { ProtocolError } from "./errors.ts";
import { CODES } from "./names.ts";

/** The name of a frame type. */
export type FrameName = keyof typeof FRAME;

const NAMES = new Map(Object.entries(FRAME).map(([name, type]) => [type as number, name as FrameName]));

/** The fewest bytes that room is made for when a payload arrives in parts. */
const LEAST_PAYLOAD_ROOM = 4096;

/** A frame with its header written and its payload still zero, with a view of that payload. */
export function newFrame(name: FrameName, payloadLength: number): { frame: Uint8Array; payload: DataView } {
  const frame = new Uint8Array(FRAME_HEADER_SIZE + payloadLength);
  const header = new DataView(frame.buffer);
  header.setUint16(0, FRAME[name]);
  header.setUint32(4, payloadLength);
  return { frame, payload: new DataView(frame.buffer, FRAME_HEADER_SIZE) };
}

/** What a conversation makes of frames. */
export interface FrameTaker {
  /**
   * A frame has begun; its payload may follow.
   *
   * @throws {ProtocolError} if it can't stand here
   */
  expect(name: FrameName, payloadLength: number): void;
  /**
   * The frame is complete. The payload is the taker's only for the time of the call.
   *
   * @throws {ProtocolError} if its payload isn't in order
   */
  take(name: FrameName, payload: Uint8Array): void;
}

/**
 * Puts frames together.
 *
 *     header ── 8 bytes ──▶ payload ── its length ──▶ header
 *
 * Of an unfinished frame it keeps what has arrived, and at most as much room again, never what was announced. The room is
 * kept for the next frame that comes in parts.
 */
export class FrameAssembler {
  readonly #taker: FrameTaker;
  readonly #header = new Uint8Array(FRAME_HEADER_SIZE);
  /** How many bytes of the header or of the payload are there. */
  #arrived = 0;
  /** The frame whose payload is arriving. */
  #frame: { readonly name: FrameName; readonly length: number } | undefined;
  #payload = new Uint8Array(0);

  constructor(taker: FrameTaker) {
    this.#taker = taker;
  }

  /** Whether a part of a frame has arrived. */
  get inside(): boolean {
    return this.#frame !== undefined || this.#arrived > 0;
  }

  /**
   * Takes all of these bytes.
   *
   * @throws {ProtocolError} if they break the protocol; the assembler can't be used any more
   */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      at += this.#frame === undefined ? this.#pushHeader(bytes, at) : this.#pushPayload(this.#frame, bytes, at);
    }
  }

  #pushHeader(bytes: Uint8Array, at: number): number {
    const part = bytes.subarray(at, at + FRAME_HEADER_SIZE - this.#arrived);
    this.#header.set(part, this.#arrived);
    this.#arrived += part.length;
    if (this.#arrived < FRAME_HEADER_SIZE) return part.length;
    this.#arrived = 0;
    const view = new DataView(this.#header.buffer);
    const length = view.getUint32(4);
    const name = checkedName(view.getUint16(0), view.getUint16(2), length);
    this.#taker.expect(name, length);
    if (length === 0) this.#taker.take(name, new Uint8Array(0));
    else this.#frame = { name, length };
    return part.length;
  }

  #pushPayload({ name, length }: { name: FrameName; length: number }, bytes: Uint8Array, at: number): number {
    const part = bytes.subarray(at, at + length - this.#arrived);
    if (part.length === length) {
      this.#frame = undefined;
      this.#taker.take(name, part);
      return part.length;
    }
    this.#makeRoom(this.#arrived + part.length, length);
    this.#payload.set(part, this.#arrived);
    this.#arrived += part.length;
    if (this.#arrived === length) {
      this.#arrived = 0;
      this.#frame = undefined;
      this.#taker.take(name, this.#payload.subarray(0, length));
    }
    return part.length;
  }

  #makeRoom(needed: number, length: number): void {
    if (needed <= this.#payload.length) return;
    const payload = new Uint8Array(Math.min(length, Math.max(LEAST_PAYLOAD_ROOM, 2 * needed)));
    payload.set(this.#payload.subarray(0, this.#arrived));
    this.#payload = payload;
  }
}

/** A frame type for people: `COMMIT`, or `type 0x0099`. */
function typeText(type: number): string {
  return NAMES.get(type) ?? `type 0x${type.toString(16).padStart(4, "0")}`;
}

function lengthText(name: FrameName): string {
  const { min, max, step } = PAYLOAD_LENGTH[name];
  if (min === max) return `${min}`;
  return step === 1 ? `${min} to ${max}` : `${min} to ${max} in steps of ${step}`;
}

function checkedName(type: number, zero: number, length: number): FrameName {
  const code = core().raw.frameFault(type, zero, length);
  const name = NAMES.get(type);
  if (code === CODE.none && name !== undefined) return name;
  const subject = `Can't read a frame of ${typeText(type)}`;
  if (name === undefined) throw new ProtocolError("unknown-frame", `${subject}: there is no such type`);
  throw new ProtocolError(
    CODES.name(code) ?? "internal",
    code === CODE["reserved-bytes"]
      ? `${subject}: bytes 2 and 3 of its header are 0x${zero.toString(16).padStart(4, "0")}, they must be zero`
      : `${subject}: its payload has ${length} bytes, it must have ${lengthText(name)}`,
  );
}
