/**
 * The kernel's lists of sockets: what `/proc/net/tcp`, `tcp6`, `udp` and `udp6` say, as values. Source of the format:
 * proc(5), and the kernel's own `Documentation/networking/proc_net_tcp.rst`.
 *
 * @module
 */

import { formatAddress } from "./address.ts";
import { finish, type Steps } from "./steps.ts";
import type { Protocol } from "./types.ts";

/** A socket that takes what arrives from anybody: a listening TCP socket, or a UDP one that isn't connected. */
export interface ListeningSocket {
  readonly protocol: Protocol;
  /** Canonical text; `"::"` may or may not take in IPv4, the lists don't tell. */
  readonly address: string;
  readonly port: number;
  /** The socket's inode, which `/proc/PID/fd` shows too. */
  readonly inode: number;
}

/** State of a socket that takes new flows, as the lists write it: TCP_LISTEN, and TCP_CLOSE for UDP. */
const STATE: Readonly<Record<Protocol, string>> = { tcp: "0A", udp: "07" };

/**
 * What stands between the number of a line and its socket's state: local and remote address, each with a port. The state
 * of a line is looked at before anything else: a busy machine has a line for each of its connections.
 */
const BEFORE_STATE = [8, 32].map((digits) => 2 * (digits + ":0000 ".length));
/** Lines in one step: 0.2 ms. */
const LINES_PER_STEP = 2048;

/** The listening sockets of one list. Lines that don't look as they should are passed over. */
export function parseSocketList(text: string, protocol: Protocol): ListeningSocket[] {
  return finish(parsingSocketList(text, protocol));
}

/** The same in steps. */
export function* parsingSocketList(text: string, protocol: Protocol): Steps<ListeningSocket[]> {
  const sockets: ListeningSocket[] = [];
  const state = STATE[protocol];
  let lines = 0;
  // The first line is the heading.
  for (let end = text.indexOf("\n"); end >= 0;) {
    const start = end + 1;
    end = text.indexOf("\n", start);
    if (isInState(text, start, state)) {
      const socket = parseLine(text.slice(start, end < 0 ? text.length : end), protocol);
      if (socket !== undefined) sockets.push(socket);
    }
    if (++lines % LINES_PER_STEP === 0) yield;
  }
  return sockets;
}

/**
 * Whether the rest of a list has nothing that takes new flows, given the text up to anywhere: the kernel lists all listening
 * TCP sockets before all connections. Of UDP's it promises nothing.
 */
export function isEnough(text: string, protocol: Protocol): boolean {
  if (protocol !== "tcp") return false;
  const start = text.lastIndexOf("\n", text.lastIndexOf("\n") - 1) + 1;
  return start > 0 && !isInState(text, start, STATE.tcp);
}

/** Whether the line that begins at `start` is of a socket in this state. */
function isInState(text: string, start: number, state: string): boolean {
  const fields = text.indexOf(": ", start) + 2;
  return BEFORE_STATE.some((before) => text.startsWith(state, fields + before));
}

/** What a line says, if it is of a socket that takes new flows. */
function parseLine(line: string, protocol: Protocol): ListeningSocket | undefined {
  const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
  if (local === undefined || state !== STATE[protocol]) return undefined;
  const [, address, port] = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(local) ?? [];
  if (address === undefined || port === undefined) return undefined;
  return { protocol, address: formatAddress(addressBytes(address)), port: parseInt(port, 16), inode: Number(inode) };
}

/** An address of the lists, words of 32 bits in the machine's (little-endian) order, as 16 bytes. */
function addressBytes(hex: string): Uint8Array {
  const bytes = new Uint8Array(16);
  const words = hex.length / 8;
  if (words === 1) bytes.set([0xff, 0xff], 10);
  const start = bytes.length - hex.length / 2;
  for (let word = 0; word < words; word++) {
    for (let byte = 0; byte < 4; byte++) {
      const at = 8 * word + 2 * (3 - byte);
      bytes[start + 4 * word + byte] = parseInt(hex.slice(at, at + 2), 16);
    }
  }
  return bytes;
}
