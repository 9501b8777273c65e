/**
 * What a released server never says: whether its rules have sockets. The kernel's list of listening sockets tells, for
 * rules of HOST, when the server is in the same network namespace as this program. Only the server's own sockets count: a
 * port that it couldn't have is mostly one that somebody else listens on.
 *
 * @module
 */

import type { PortRange } from "../codec/specifier.ts";
import type { Rule } from "../codec/types.ts";
import type { ListeningSocket } from "../codec/socket_list.ts";
import { listeningSockets } from "../sync/listening_ports.ts";
import { type Holder, holdersOf, socketsOfServer } from "./processes.ts";

/** Whether the kernel's list can be asked, and what it says. */
export type Verification =
  /** The list says nothing about this server: it is in another namespace, or can't be found. */
  | { readonly kind: "unknown" }
  | { readonly kind: "known"; readonly missing: readonly MissingListeners[] };

/** Ports of a rule that the server doesn't listen on. */
export interface MissingListeners {
  /** Index among the rules that were asked about. */
  readonly rule: number;
  /** In ascending order. */
  readonly ports: readonly MissingPorts[];
}

/** Ports in a row. */
export interface MissingPorts extends PortRange {
  /** Whether another program listens there. */
  readonly taken: boolean;
  /** Those programs, as far as they can be seen; absent if nobody has looked. */
  readonly holders?: readonly Holder[];
}

/** Looks for the sockets of rules of HOST of the server whose control socket is at `path`. */
export function verifyListeners(path: string, rules: readonly Rule[]): Verification {
  try {
    const own = socketsOfServer(path);
    if (own === undefined) return { kind: "unknown" };
    const sockets = listeningSockets();
    const missing = missingListeners(rules, sockets, ({ inode }) => own.has(inode));
    return { kind: "known", missing: withHolders(missing, rules, sockets.filter(({ inode }) => !own.has(inode))) };
  } catch (error) {
    // Whoever may not read /proc can't know, and neither can who reads it just as the server ends.
    if (error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.PermissionDenied) {
      return { kind: "unknown" };
    }
    if (error instanceof Deno.errors.NotFound) return { kind: "unknown" };
    throw error;
  }
}

/** Rules with ports that no socket of the server listens on. Weak and scan rules may lack theirs, and aren't asked about. */
export function missingListeners(
  rules: readonly Rule[],
  sockets: readonly ListeningSocket[],
  isOwn: (socket: ListeningSocket) => boolean,
): MissingListeners[] {
  const key = ({ protocol, address, port }: Omit<ListeningSocket, "inode">) => `${protocol} ${address} ${port}`;
  const all = new Set(sockets.map(key));
  const own = new Set(sockets.filter(isOwn).map(key));
  return rules.flatMap((rule, index) => {
    if (rule.weak || rule.scan) return [];
    const { protocol, firstPort, lastPort } = rule;
    const rows: { first: number; last: number; taken: boolean }[] = [];
    for (let port = firstPort; port <= lastPort; port++) {
      const keys = servingAddresses(rule).map((address) => key({ protocol, address, port }));
      if (keys.some((key) => own.has(key))) continue;
      const taken = keys.some((key) => all.has(key));
      const row = rows.at(-1);
      if (row !== undefined && row.last + 1 === port && row.taken === taken) row.last = port;
      else rows.push({ first: port, last: port, taken });
    }
    return rows.length === 0 ? [] : [{ rule: index, ports: rows }];
  });
}

/** Addresses, any of which a socket that serves the rule may be bound to: `::` may take in IPv4. */
function servingAddresses({ address }: Rule): string[] {
  switch (address) {
    case "*":
      return ["::", "0.0.0.0"];
    case "0.0.0.0":
      return ["0.0.0.0", "::"];
    default:
      return [address];
  }
}

/** The same rows, with the programs that listen on what is taken. `others` are the sockets that aren't the server's. */
function withHolders(
  missing: readonly MissingListeners[],
  rules: readonly Rule[],
  others: readonly ListeningSocket[],
): MissingListeners[] {
  const wanted = missing.flatMap(({ rule: index, ports }) => {
    const rule = rules[index];
    if (rule === undefined) return [];
    return ports.filter(({ taken }) => taken).map(({ first, last }) => ({ ...rule, first, last }));
  });
  const holders = holdersOf(wanted, others).values();
  return missing.map(({ rule, ports }) => ({
    rule,
    ports: ports.map((row) => row.taken ? { ...row, holders: holders.next().value ?? [] } : row),
  }));
}
