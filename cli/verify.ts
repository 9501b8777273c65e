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
}

/** Looks for the sockets of rules of HOST of the server whose control socket is at `path`. */
export function verifyListeners(path: string, rules: readonly Rule[]): Verification {
  try {
    const own = socketsOfServer(path);
    if (own === undefined) return { kind: "unknown" };
    return { kind: "known", missing: missingListeners(rules, listeningSockets(), ({ inode }) => own.has(inode)) };
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

/** Inodes of all sockets of the process that listens at this UNIX socket, if it is in this network namespace. */
function socketsOfServer(path: string): ReadonlySet<number> | undefined {
  const control = listeningUnixSocket(path);
  if (control === undefined) return undefined;
  const here = Deno.readLinkSync("/proc/self/ns/net");
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const sockets = socketsOf(name);
    if (sockets.has(control)) return Deno.readLinkSync(`/proc/${name}/ns/net`) === here ? sockets : undefined;
  }
  return undefined;
}

/** Inode of the socket that listens at a path. Flag bit 16 of the kernel's list marks listening ones: proc(5). */
function listeningUnixSocket(path: string): number | undefined {
  const names = [path, Deno.realPathSync(path)];
  for (const line of Deno.readTextFileSync("/proc/net/unix").split("\n").slice(1)) {
    const [, , , flags = "0", , , inode, ...rest] = line.trim().split(/\s+/);
    if ((parseInt(flags, 16) & 0x10000) !== 0 && names.includes(rest.join(" "))) return Number(inode);
  }
  return undefined;
}

/** Inodes of a process's sockets; none if they can't be seen. */
function socketsOf(process: string): Set<number> {
  const inodes = new Set<number>();
  try {
    for (const { name } of Deno.readDirSync(`/proc/${process}/fd`)) {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(linkAt(`/proc/${process}/fd/${name}`)) ?? [];
      if (inode !== undefined) inodes.add(Number(inode));
    }
  } catch {
    // Another user's process, or one that has just ended.
  }
  return inodes;
}

/** Where a link leads; nowhere if it has just gone, as descriptors do while one looks at them. */
function linkAt(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
