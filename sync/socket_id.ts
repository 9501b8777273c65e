/**
 * Identity of sockets: file descriptors are used again, these numbers are not.
 *
 * @module
 */

let last = 0;

/** A number for a new socket, different from all others of this process. */
export function nextSocketId(): number {
  return ++last;
}
