/**
 * The errors of this project. Wrong arguments throw TypeError, RangeError or SyntaxError; everything else is one of
 * these. `code` is stable and meant for programs, the message for people.
 *
 * @module
 */

import type { Code, SpecifierCode } from "./types.ts";

/**
 * What all errors of the project have in common: a stable `code` beside the message.
 *
 * @example Deciding by the code
 * ```ts
 * import { look, PestoError } from "../mod.ts";
 *
 * try {
 *   await look("/nowhere/control");
 * } catch (error) {
 *   if (!(error instanceof PestoError)) throw error;
 *   console.log(error.code); // unreachable
 * }
 * ```
 */
export class PestoError extends Error {
  /** Name of the class. */
  override readonly name: string = "PestoError";
  /** Stable, for programs. */
  readonly code: string;
  /** Takes the code and the sentence, and what caused it. */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The other side sent bytes that the protocol doesn't allow. Nothing was changed by them.
 *
 * @example What listens there is something else
 * ```ts
 * import { look, ProtocolError } from "../mod.ts";
 *
 * const path = `${await Deno.makeTempDir()}/socket`;
 * using listener = Deno.listen({ transport: "unix", path });
 * const greeting = listener.accept().then(async (connection) => {
 *   await connection.write(new TextEncoder().encode("220 mail\r\n"));
 *   connection.close();
 * });
 * try {
 *   await look(path);
 * } catch (error) {
 *   if (!(error instanceof ProtocolError)) throw error;
 *   console.log(error.code); // bad-magic
 * }
 * await greeting;
 * ```
 */
export class ProtocolError extends PestoError {
  /** Name of the class. */
  override readonly name = "ProtocolError";
  /** Why, for programs. */
  declare readonly code: Code;
  /** Takes the code and the sentence, and what caused it. */
  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

/** Where in a set of tables a fault lies: index of the rule, and of the one it conflicts with. */
export interface RuleLocation {
  /** Name of the pif. */
  readonly pif?: string;
  /** Index of the rule in that pif's table. */
  readonly rule?: number;
  /** Index of the rule that it conflicts with. */
  readonly otherRule?: number;
  /** Name of the other rule's pif. */
  readonly otherPif?: string;
}

/**
 * A table that isn't valid.
 *
 * @example A rule that would forward to itself
 * ```ts
 * import { serve, TableError } from "../mod.ts";
 *
 * const rule = { protocol: "tcp", address: "*", firstPort: 80, lastPort: 80, targetPort: 80, weak: false, scan: false } as const;
 * try {
 *   await serve({ path: `${await Deno.makeTempDir()}/control`, rules: { HOST: [rule] } });
 * } catch (error) {
 *   if (!(error instanceof TableError)) throw error;
 *   console.log(error.code, error.location.rule); // forwards-to-itself 0
 * }
 * ```
 */
export class TableError extends PestoError {
  /** Name of the class. */
  override readonly name = "TableError";
  /** Why, for programs. */
  declare readonly code: Code;
  /** Where the fault lies. */
  readonly location: RuleLocation;
  /** Takes the code and the sentence, and what caused it. */
  constructor(code: Code, message: string, location: RuleLocation = {}, options?: ErrorOptions) {
    super(code, message, options);
    this.location = location;
  }
}

/** A part of a port specifier, in UTF-16 code units; a length of 0 is the place where something is missing. */
export interface SpecifierPlace {
  /** The whole specifier. */
  readonly specifier: string;
  /** Where the part begins. */
  readonly position: number;
  /** How long it is. */
  readonly length: number;
}

/**
 * A port specifier that can't be read, or that wants what the pif can't do.
 *
 * @example Where the fault lies
 * ```ts
 * import { parseSpecifier, SpecifierError } from "../mod.ts";
 *
 * try {
 *   parseSpecifier("80,65536", { protocol: "tcp" });
 * } catch (error) {
 *   if (!(error instanceof SpecifierError)) throw error;
 *   console.log(error.code, error.position, error.length); // port-too-great 3 5
 * }
 * ```
 */
export class SpecifierError extends PestoError {
  /** Name of the class. */
  override readonly name = "SpecifierError";
  /** Why, for programs. */
  declare readonly code: SpecifierCode;
  /** The whole specifier, as it was given. */
  readonly specifier: string;
  /** Where the fault lies, in UTF-16 code units. */
  readonly position: number;
  /** How long the faulty part is; 0 where something is missing. */
  readonly length: number;
  /** Takes the code and the sentence, and what caused it. */
  constructor(code: SpecifierCode, message: string, place: SpecifierPlace, options?: ErrorOptions) {
    super(code, message, options);
    this.specifier = place.specifier;
    this.position = place.position;
    this.length = place.length;
  }
}

/** The WebAssembly core stopped where it never should: a fault of this program, not of its input. */
export class CoreError extends PestoError {
  /** Name of the class. */
  override readonly name = "CoreError";
  /** Takes the code and the sentence, and what caused it. */
  constructor(message: string, options?: ErrorOptions) {
    super("internal", message, options);
  }
}
