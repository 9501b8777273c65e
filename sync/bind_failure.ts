/**
 * From what a system call or the runtime said to a {@linkcode BindError} for people and programs.
 *
 * @module
 */

import { BindError, type Endpoint } from "./backend.ts";
import { endpointText } from "./endpoint.ts";
import { errorText, type SystemError, systemErrorOf } from "./errno.ts";

/**
 * The error of an endpoint that could not be bound, from what the runtime threw; that becomes its `cause`. An error
 * that is a {@linkcode BindError} already stays what it is.
 */
export function bindFailure(endpoint: Endpoint, thrown: unknown): BindError {
  return thrown instanceof BindError ? thrown : bindErrorOf(endpoint, systemErrorOf(thrown), { cause: thrown });
}

/** The error of an endpoint that could not be bound, from what a system call gave. */
export function bindErrorOf(endpoint: Endpoint, error: SystemError, options?: ErrorOptions): BindError {
  const message = `Can't listen on ${endpointText(endpoint)}: ${errorText(error)}`;
  return new BindError(endpoint, error.name, error.errno, message, options);
}
