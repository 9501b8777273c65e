/**
 * Whose sockets those of the kernel's lists are: `/proc/PID/fd` shows a process's inodes, to its own user and to root.
 *
 * @module
 */

import type { ListeningSocket } from "../codec/socket_list.ts";
import type { PortRange } from "../codec/specifier.ts";
import type { Rule } from "../codec/types.ts";
import { listeningSockets } from "../sync/listening_ports.ts";

/** A process that listens. */
export interface Holder {
  readonly pid: number;
  /** Its name, as the kernel keeps it: at most 15 bytes. */
  readonly command: string;
}

/** Ports on which a rule listens, or would. */
export type WantedPorts = PortRange & Pick<Rule, "protocol" | "address">;

/**
 * Who keeps a server from those ports, one list for each of `wanted`. The lists are empty where the server is in another
 * network namespace, where /proc doesn't show it, and where it hides the other process.
 */
export function strangersAt(path: string, wanted: readonly WantedPorts[]): Holder[][] {
  const nobody = wanted.map(() => []);
  if (wanted.length === 0) return nobody;
  try {
    const own = socketsOfServer(path);
    return own === undefined ? nobody : holdersOf(wanted, listeningSockets().filter(({ inode }) => !own.has(inode)));
  } catch {
    // What is found here is only ever said beside something else: no fault of /proc's may hide that.
    return nobody;
  }
}

/** The processes with a socket that is in the way on such ports, one list for each of `wanted`, in the order of their ids. */
export function holdersOf(wanted: readonly WantedPorts[], sockets: readonly ListeningSocket[]): Holder[][] {
  const inodes = wanted.map((ports) => new Set(sockets.filter((socket) => isInTheWay(socket, ports)).map(inodeOf)));
  if (inodes.every(({ size }) => size === 0)) return wanted.map(() => []);
  const holders: Holder[][] = wanted.map(() => []);
  for (const name of processes()) {
    const own = socketsOf(name);
    inodes.forEach((those, index) => {
      if (!those.isDisjointFrom(own)) holders[index]?.push({ pid: Number(name), command: commandOf(name) });
    });
  }
  return holders;
}

/** As `nginx (1234), caddy (1240)`. */
export function holdersText(holders: readonly Holder[]): string {
  return holders.map(({ pid, command }) => `${command} (${pid})`).join(", ");
}

/** Inodes of all sockets of the process that listens at this UNIX socket, if it is in this network namespace. */
export function socketsOfServer(path: string): ReadonlySet<number> | undefined {
  const control = listeningUnixSocket(path);
  if (control === undefined) return undefined;
  const here = Deno.readLinkSync("/proc/self/ns/net");
  for (const name of processes()) {
    const sockets = socketsOf(name);
    if (sockets.has(control)) return Deno.readLinkSync(`/proc/${name}/ns/net`) === here ? sockets : undefined;
  }
  return undefined;
}

/** Whether the kernel would refuse a socket for those ports because of this one. Whether `::` takes in IPv4, it doesn't tell. */
function isInTheWay({ protocol, address, port }: ListeningSocket, wanted: WantedPorts): boolean {
  if (protocol !== wanted.protocol || port < wanted.first || port > wanted.last) return false;
  if (wanted.address === "*" || address === "::" || address === wanted.address) return true;
  const sameFamily = address.includes(":") === wanted.address.includes(":");
  return sameFamily && (address === "0.0.0.0" || wanted.address === "0.0.0.0" || wanted.address === "::");
}

function inodeOf({ inode }: ListeningSocket): number {
  return inode;
}

/** Ids of all processes that /proc shows. */
function processes(): string[] {
  return [...Deno.readDirSync("/proc")].flatMap(({ name }) => /^\d+$/.test(name) ? [name] : [])
    .toSorted((a, b) => Number(a) - Number(b));
}

function commandOf(process: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${process}/comm`).trimEnd();
  } catch {
    return "?";
  }
}
/**
 * Inode of the socket that listens at a path. The kernel keeps the name that a socket was bound to, and a server of ours
 * binds to PATH.PID before it gives that its place. Flag bit 16 of the kernel's list marks listening ones: proc(5).
 */
function listeningUnixSocket(path: string): number | undefined {
  const names = [path, Deno.realPathSync(path)];
  let renamed: number | undefined;
  for (const line of Deno.readTextFileSync("/proc/net/unix").split("\n").slice(1)) {
    const [, , , flags = "0", , , inode, ...rest] = line.trim().split(/\s+/);
    if ((parseInt(flags, 16) & 0x10000) === 0) continue;
    const bound = rest.join(" ");
    if (names.includes(bound)) return Number(inode);
    if (names.includes(bound.replace(/\.\d+$/, ""))) renamed = Number(inode);
  }
  return renamed;
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
