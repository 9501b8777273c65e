/**
 * The WebAssembly core, as the rest of the codec calls it. Nothing else in the project knows what it is made of.
 *
 * Theory of operation. The core is compiled on first use, synchronously; importing this file costs nothing and needs no
 * permission. There is one instance, and calls never overlap, so its scratch area is free for every synchronous stretch
 * of code: fill it, call, read the answer, before anything else calls. Memory only grows, and growing it detaches every
 * view of it: views come from {@linkcode Core.bytes} and {@linkcode Core.view}, and none is held across a call.
 *
 * Strings and arrays that cross over are garbage afterwards. The core collects only when told to, which is between two
 * calls, once these may have made {@linkcode GARBAGE_LIMIT} bytes of it.
 *
 * A trap or an abort is a fault of this program. It arrives as a CoreError; what the core's memory holds is then
 * undefined.
 *
 * @module
 */

// @ts-types="../wasm/as_bind.d.ts"
import { type BoundInstance, instantiateSync } from "npm:as-bind@0.8.2/dist/as-bind.esm.js";
import { CORE_BASE64 } from "../wasm/core.ts";
import type { BoundExports, RawExports } from "./core_exports.ts";
import { CoreError } from "./errors.ts";

/** How many bytes of garbage the core's memory may hold, roughly. A choice of memory against time, of no great weight. */
const GARBAGE_LIMIT = 1024 * 1024;
/** Bytes of garbage that any call may make, and what it may make for each UTF-16 code unit or byte that it is given or gives. */
const GARBAGE_PER_CALL = 512;
const GARBAGE_PER_UNIT = 4;

/** The core's functions, and its memory. */
export class Core {
  /** Called with numbers and addresses only. */
  readonly raw: RawExports;
  /** Called with strings and byte arrays; what they return is a copy. */
  readonly bound: BoundExports;
  /** Address of a frame's largest payload and 64 bytes, free between any two calls. */
  readonly scratch: number;
  readonly #memory: WebAssembly.Memory;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);

  constructor() {
    const { exports, memory } = instantiate();
    this.#memory = memory;
    this.raw = exports.raw as unknown as RawExports;
    this.bound = exports.bound as unknown as BoundExports;
    this.scratch = this.raw.scratch();
  }

  /** The core's whole memory, until the next call. */
  get bytes(): Uint8Array {
    this.#renew();
    return this.#bytes;
  }

  /** The same for numbers of several bytes. */
  get view(): DataView {
    this.#renew();
    return this.#view;
  }

  #renew(): void {
    const { buffer } = this.#memory;
    if (this.#bytes.buffer === buffer) return;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }
}

let instance: Core | undefined;

/**
 * The core.
 *
 * @throws {CoreError} if it can't be compiled
 */
export function core(): Core {
  return instance ??= new Core();
}

type AnyFunction = (...args: unknown[]) => unknown;

interface Exports {
  readonly raw: Record<string, AnyFunction>;
  readonly bound: Record<string, AnyFunction>;
}

function instantiate(): { exports: Exports; memory: WebAssembly.Memory } {
  const { exports: boundExports, loadedModule } = start({
    env: {
      abort(message: number, file: number, line: number, column: number): never {
        throw new CoreError(
          `The core stopped: ${stringAt(memory, message)} (${stringAt(memory, file)}:${line}:${column})`,
        );
      },
    },
  });
  const { memory, ...own } = loadedModule.instance.exports;
  if (!(memory instanceof WebAssembly.Memory)) {
    throw new CoreError("Can't start the core: the WebAssembly module has no memory");
  }
  const guard = new Guard(own["__collect"] as AnyFunction);
  const exports: Exports = { raw: {}, bound: {} };
  for (const [name, value] of Object.entries(own)) {
    if (typeof value === "function") exports.raw[name] = guard.around(name, value as AnyFunction);
  }
  for (const [name, value] of Object.entries(boundExports)) {
    if (typeof value === "function") exports.bound[name] = guard.around(name, value as AnyFunction);
  }
  return { exports, memory };
}

function start(imports: WebAssembly.Imports): BoundInstance {
  try {
    return instantiateSync(Uint8Array.fromBase64(CORE_BASE64), imports);
  } catch (cause) {
    throw new CoreError("Can't start the core: the WebAssembly module was not accepted", { cause });
  }
}

/** Stands around every call into the core. */
class Guard {
  readonly #collect: AnyFunction;
  /** Bytes of garbage since the last collection. */
  #garbage = 0;

  constructor(collect: AnyFunction) {
    this.#collect = collect;
  }

  /**
   * The same function, but it has the garbage collected when that is due, what it throws is a CoreError, and an array
   * that it returns is the caller's: as-bind 0.8.2 gives a view of memory that the next call may use for something else.
   */
  around(name: string, call: AnyFunction): AnyFunction {
    return (...args) => {
      try {
        if (this.#garbage > GARBAGE_LIMIT) {
          this.#garbage = 0;
          this.#collect();
        }
        const result = call(...args);
        this.#garbage += GARBAGE_PER_CALL + GARBAGE_PER_UNIT * (units(result) + units(args[0]));
        return result instanceof Uint8Array ? result.slice() : result;
      } catch (cause) {
        if (cause instanceof CoreError) throw cause;
        throw new CoreError(`The core stopped: ${name} failed`, { cause });
      }
    };
  }
}

/** Length of a string or an array. No function of the core takes one anywhere but in its first place, or a short one. */
function units(value: unknown): number {
  return typeof value === "string" || value instanceof Uint8Array ? value.length : 0;
}

/** A string of the core's own: UTF-16, its length in bytes right before it. */
function stringAt(memory: unknown, pointer: number): string {
  if (!(memory instanceof WebAssembly.Memory) || pointer === 0) return "aborted";
  const { buffer } = memory;
  const length = new DataView(buffer).getUint32(pointer - 4, true);
  return new TextDecoder("utf-16le").decode(new Uint8Array(buffer, pointer, length));
}
