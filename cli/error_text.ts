/**
 * What people are told of an error.
 *
 * @module
 */

import { UpdateError } from "../client.ts";
import { PestoError } from "../codec/errors.ts";
import { printable } from "../codec/printable.ts";
import { UsageError } from "./arguments.ts";
import { OutputError } from "./output.ts";

/**
 * The sentence of an error that may be expected. Anything else, TypeError included, is a fault of this program and shows
 * where it lies.
 */
export function errorMessage(error: unknown): string {
  // A server's sentence is one line, whatever it says.
  if (error instanceof UpdateError) return printable(error.message);
  if (error instanceof PestoError || error instanceof UsageError || error instanceof OutputError) return error.message;
  if (error instanceof RangeError || error instanceof SyntaxError) return error.message;
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
