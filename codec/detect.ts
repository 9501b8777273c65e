/**
 * Which dialect a server speaks: the first byte of its magic tells the dialects apart, and the rest of the magic is for
 * that dialect's decoder to insist on.
 *
 * Theory of operation.
 *
 *     nothing heard ── a first byte ──▶ that dialect's decoder does the rest ── hello ──▶ the dialect to answer in is known
 *
 * It is known no earlier because it depends on the version that the server announces.
 *
 * @module
 */

import { PASST_MAGIC } from "./constants.ts";
import type { ClientDialect, Decoder } from "./dialect.ts";
import { nativeClient } from "./native.ts";
import { passtClient } from "./passt.ts";
import { passtListingDecoder } from "./passt_decoder.ts";
import { isPasstVersion } from "./passt_record.ts";
import type { ServerEvent } from "./types.ts";

/** Decodes what a server says, in whichever dialect it does. */
export class ServerDecoder implements Decoder<ServerEvent> {
  #decoder: Decoder<ServerEvent> | undefined;
  #passt = false;
  #dialect: ClientDialect | undefined;

  /**
   * The dialect to answer in.
   *
   * @throws {TypeError} before `push` has returned a `hello`
   */
  get dialect(): ClientDialect {
    if (this.#dialect !== undefined) return this.#dialect;
    throw new TypeError("Can't answer the server: it must have said first which protocol it speaks");
  }

  push(bytes: Uint8Array): ServerEvent[] {
    if (this.#decoder === undefined && bytes.length > 0) {
      this.#passt = bytes[0] === PASST_MAGIC[0];
      this.#decoder = this.#passt ? passtListingDecoder() : nativeClient.decoder();
    }
    const events = this.#decoder?.push(bytes) ?? [];
    for (const event of events) {
      if (event.kind === "hello") this.#dialect = this.#dialectOf(event.hello.version);
    }
    return events;
  }

  finish(): void {
    this.#decoder?.finish();
  }

  #dialectOf(version: number): ClientDialect {
    return this.#passt && isPasstVersion(version) ? passtClient(version) : nativeClient;
  }
}
