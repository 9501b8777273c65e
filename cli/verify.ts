/**
 * What a released server never says: whether its rules have sockets. The kernel's list of listening sockets tells, for
 * rules of HOST, when the server is in the same network namespace as this program.
 *
 * @module
 */

import type { FailedPorts, Rule } from "../codec/types.ts";
import type { ListeningSocket } from "../codec/socket_list.ts";
import { listeningSockets } from "../sync/listening_ports.ts";

/** Whether the kernel's list can be asked, and what it says. */
export type Verification =
  /** The list says nothing about this server: it is in another namespace, or can't be found. */
  | { readonly kind: "unknown" }
  | { readonly kind: "known"; readonly missing: readonly MissingListeners[] };

/** Ports of a rule that nobody listens on. */
export interface MissingListeners {
  /** Index among the rules that were asked about. */
  readonly rule: number;
  readonly ports: readonly Omit<FailedPorts, "errno">[];
}

/** Looks for the sockets of rules of HOST of the server whose control socket is at `path`. */
export function verifyListeners(path: string, rules: readonly Rule[]): Verification {
  try {
    if (!isInThisNamespace(path)) return { kind: "unknown" };
    return { kind: "known", missing: missingListeners(rules, listeningSockets()) };
  } catch (error) {
    // Whoever may not read /proc can't know.
    if (error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.PermissionDenied) {
      return { kind: "unknown" };
    }
    throw error;
  }
}

/** Rules with ports that no socket listens on. Weak and scan rules may lack theirs, and aren't asked about. */
export function missingListeners(
  rules: readonly Rule[],
  sockets: readonly ListeningSocket[],
): MissingListeners[] {
  const listening = new Set(sockets.map(({ protocol, address, port }) => `${protocol} ${address} ${port}`));
  return rules.flatMap((rule, index) => {
    if (rule.weak || rule.scan) return [];
    const runs: { first: number; last: number }[] = [];
    for (let port = rule.firstPort; port <= rule.lastPort; port++) {
      if (servingAddresses(rule).some((address) => listening.has(`${rule.protocol} ${address} ${port}`))) continue;
      const run = runs.at(-1);
      if (run !== undefined && run.last + 1 === port) run.last = port;
      else runs.push({ first: port, last: port });
    }
    return runs.length === 0 ? [] : [{ rule: index, ports: runs }];
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

/** Whether a process that listens at this UNIX socket shares this one's network namespace. */
function isInThisNamespace(path: string): boolean {
  const inode = listeningUnixSocket(path);
  if (inode === undefined) return false;
  const wanted = `socket:[${inode}]`;
  const here = Deno.readLinkSync("/proc/self/ns/net");
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    if (ownsDescriptor(name, wanted)) return Deno.readLinkSync(`/proc/${name}/ns/net`) === here;
  }
  return false;
}

/** Inode of the socket that listens at a path. Flag bit 16 of the kernel's list marks listening ones: proc(5). */
function listeningUnixSocket(path: string): string | undefined {
  const names = [path, Deno.realPathSync(path)];
  for (const line of Deno.readTextFileSync("/proc/net/unix").split("\n").slice(1)) {
    const [, , , flags = "0", , , inode, ...rest] = line.trim().split(/\s+/);
    if ((parseInt(flags, 16) & 0x10000) !== 0 && names.includes(rest.join(" "))) return inode;
  }
  return undefined;
}

function ownsDescriptor(process: string, link: string): boolean {
  try {
    for (const { name } of Deno.readDirSync(`/proc/${process}/fd`)) {
      if (Deno.readLinkSync(`/proc/${process}/fd/${name}`) === link) return true;
    }
  } catch {
    // Another user's process, or one that has just ended.
  }
  return false;
}
