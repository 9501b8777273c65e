/**
 * What either side of the released dialect sends, as events. Both decoders are scripts (`stepwise.ts`); the records of a
 * pif come as one `rules` event, since there are at most 255 of them.
 *
 * @module
 */

import { FEATURE, INTERFACE_NAME_SIZE, MAX_PIFS, MAX_SOCKETS, PASST, PASST_MAGIC, PIF_NAME_SIZE } from "./constants.ts";
import { badMagic, demandRecords, demandRuleCount, NamedPifs } from "./demands.ts";
import type { ClientLimits, Decoder } from "./dialect.ts";
import { ProtocolError } from "./errors.ts";
import { fromPasstRecords, isPasstVersion, type PasstVersion } from "./passt_record.ts";
import { decodePifName } from "./pif_name.ts";
import { type Script, StepwiseDecoder, type Want } from "./stepwise.ts";
import type { ClientEvent, Hello, ServerEvent } from "./types.ts";

/**
 * A decoder for a server's bytes, of whichever version: magic, greeting and listing. `hello` says the version; what this
 * dialect leaves open is 0 there.
 */
export function passtListingDecoder(): Decoder<ServerEvent> {
  return new StepwiseDecoder<ServerEvent>("server", "its listing", listingScript);
}

/**
 * A decoder for a client's bytes. An update that names no pif makes no event at all: it is a lone zero byte, which any
 * stray program may send, and it asks for nothing.
 */
export function passtUpdateDecoder(version: PasstVersion, limits: ClientLimits): Decoder<ClientEvent> {
  return new StepwiseDecoder<ClientEvent>("client", "its update", (emit) => updateScript(emit, version, limits));
}

function* listingScript(emit: (event: ServerEvent) => void): Script {
  for (const [index, expected] of PASST_MAGIC.entries()) {
    if (expected !== (yield* readByte(index === 0))) throw badMagic("server", PASST_MAGIC);
  }
  const version = yield* readGreeting();
  emit({ kind: "hello", hello: helloOf(version) });
  const named = new NamedPifs();
  for (;;) {
    const id = yield* readByte();
    if (id === PASST.END) break;
    named.add(id);
    const name = decodePifName(yield { bytes: PIF_NAME_SIZE }, id);
    const capabilities = yield* readNumber();
    const ruleCount = yield* readNumber();
    demandRuleCount(id, ruleCount, PASST.MAX_RULES);
    emit({ kind: "pif", pif: { id, name, capabilities, ruleCount, runCount: 0 } });
    if (ruleCount === 0) continue;
    const records = yield* readRecords(ruleCount, version);
    demandRecords("server", records, id, 0);
    emit({ kind: "rules", pif: id, records });
  }
  emit({ kind: "listed" });
  yield* readByte(true);
  throw new ProtocolError("unexpected-frame", "Can't take what follows the server's listing: nothing may");
}

function* updateScript(emit: (event: ClientEvent) => void, version: PasstVersion, limits: ClientLimits): Script {
  const named = new NamedPifs();
  for (;;) {
    const pif = yield* readByte(named.size === 0);
    if (pif === PASST.END) break;
    if (named.size === 0) {
      const header = { version, mode: "one-shot", rollBackUndelivered: false, holdSeconds: 0, pifCount: 0 } as const;
      emit({ kind: "update", header });
    }
    named.add(pif);
    if (named.size > limits.maxPifs) {
      throw new ProtocolError(
        "bad-field",
        `Can't take the table of pif ${pif}: an update may have ${limits.maxPifs} tables, it has more`,
      );
    }
    const ruleCount = yield* readNumber();
    demandRuleCount(pif, ruleCount, Math.min(PASST.MAX_RULES, limits.maxRules));
    emit({ kind: "table", pif, ruleCount });
    if (ruleCount > 0) emit({ kind: "rules", pif, records: yield* readRecords(ruleCount, version) });
  }
  if (named.size > 0) emit({ kind: "end" });
  yield* readByte(true);
  throw new ProtocolError("unexpected-frame", "Can't take what follows the client's update: nothing may");
}

/** A part of a script, which has a result of its own. */
type Part<Result> = Generator<Want, Result, Uint8Array>;

function* readByte(mayEnd = false): Part<number> {
  const [byte = 0] = yield { bytes: 1, mayEnd };
  return byte;
}

function* readNumber(): Part<number> {
  const bytes = yield { bytes: 4 };
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
}

function* readRecords(count: number, version: PasstVersion): Part<Uint8Array> {
  return fromPasstRecords(yield { bytes: count * PASST.RECORD_SIZE[version] }, version);
}

/** The version, with the sizes that it says a listing is made of. */
function* readGreeting(): Part<PasstVersion> {
  const version = yield* readNumber();
  if (!isPasstVersion(version)) {
    const which = version === 0 ? "0, an experimental one" : String(version);
    throw new ProtocolError(
      "unsupported-version",
      `Can't talk to this server: its version is ${which}, it must be ${Object.keys(PASST.RECORD_SIZE).join(" or ")}`,
    );
  }
  demandSize("pif", yield* readNumber(), PIF_NAME_SIZE);
  demandSize("interface", yield* readNumber(), INTERFACE_NAME_SIZE);
  return version;
}

function demandSize(what: string, size: number, expected: number): void {
  if (size === expected) return;
  throw new ProtocolError(
    "bad-field",
    `Can't talk to this server: its ${what} names have ${size} bytes, they must have ${expected}`,
  );
}

/** What a server of a version is known to do, in the terms of the native dialect. */
function helloOf(version: PasstVersion): Hello {
  return {
    version,
    minCompat: version,
    features: FEATURE.ONE_SHOT,
    revision: 0n,
    maxPifs: MAX_PIFS,
    maxRules: PASST.MAX_RULES,
    maxSockets: MAX_SOCKETS,
    transactionSeconds: 0,
    holdSeconds: 0,
  };
}
