/**
 * The oracle's specifiers: the same grammar as the core's, read with regular expressions and plain sets of ports, slowly.
 * It shares nothing with `wasm/assembly/specifier.ts` but the names of the reasons for a refusal.
 *
 * @module
 */

import { isIPv4, isIPv6 } from "node:net";
import type { Protocol, Rule } from "../../codec/types.ts";
import { formatOracleAddress, parseOracleAddress } from "./address.ts";

/** What the oracle makes of a specifier; `refused` with the code that the error must have. */
export type OracleAnswer =
  | { readonly kind: "none" }
  | { readonly kind: "rules"; readonly rules: Rule[] }
  | { readonly kind: "refused"; readonly code: string };

/** Stated again rather than imported, with bits of their own. */
export interface OracleContext {
  readonly protocol: Protocol;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly scan: boolean;
  readonly interfaces: boolean;
  readonly ephemeral: { readonly first: number; readonly last: number };
  readonly loopbackOnly: boolean;
}

class Refused extends Error {}

interface Inclusion {
  readonly first: number;
  readonly last: number;
  readonly target: string | undefined;
  readonly targetPort: number;
}

/** Reads a specifier. */
export function oracleSpecifier(text: string, context: OracleContext): OracleAnswer {
  if (text === "none") return { kind: "none" };
  try {
    return { kind: "rules", rules: rulesOf(text, context) };
  } catch (error) {
    if (error instanceof Refused) return { kind: "refused", code: error.message };
    throw error;
  }
}

function rulesOf(text: string, context: OracleContext): Rule[] {
  if (text === "") throw new Refused("empty");
  const { prefix, rest } = split(text);
  const { address, name } = listening(prefix, context);

  const inclusions: Inclusion[] = [];
  const excluded = new Set<number>();
  const allTargets = new Set<string>();
  let scan = false;
  for (const chunk of rest.split(",")) {
    if (chunk === "auto") {
      if (!context.scan) throw new Refused("scan-unsupported");
      scan = true;
    } else if (chunk === "all" || chunk.startsWith("all:")) {
      allTargets.add(chunk === "all" ? "" : targetAddress(chunk.slice("all:".length)));
      if (allTargets.size > 1) throw new Refused("different-targets");
    } else if (chunk.startsWith("~")) {
      const { first, last } = portRange(chunk.slice(1));
      for (let port = first; port <= last; port++) excluded.add(port);
    } else if (/^[0-9]/.test(chunk)) {
      inclusions.push(inclusion(chunk));
    } else {
      throw new Refused("bad-chunk");
    }
  }

  const weak = inclusions.length === 0;
  if (weak) {
    const [target = ""] = allTargets;
    inclusions.push({ first: 1, last: 65535, target: target === "" ? undefined : target, targetPort: 1 });
    for (let port = context.ephemeral.first; port <= context.ephemeral.last; port++) excluded.add(port);
  }
  return inclusions.flatMap((included) =>
    runs(included, excluded).flatMap(({ first, last }) =>
      ends(address, name, context).map((end): Rule => ({
        protocol: context.protocol,
        ...end,
        firstPort: first,
        lastPort: last,
        ...(included.target !== undefined && { target: included.target }),
        targetPort: included.targetPort + first - included.first,
        weak,
        scan,
      }))
    )
  );
}

/** Takes off what stands before the slash, if it is about listening. */
function split(text: string): { prefix: string | undefined; rest: string } {
  const slash = text.indexOf("/");
  const head = text.slice(0, slash);
  const isPrefix = slash >= 0 &&
    (/^\*?$|^\[|%/.test(head) || numericAddress(head) !== undefined || !/,|^(~?[0-9-]+|all):/.test(head));
  return isPrefix ? { prefix: head, rest: text.slice(slash + 1) } : { prefix: undefined, rest: text };
}

function listening(prefix: string | undefined, context: OracleContext): { address?: string; name?: string } {
  if (prefix === undefined) return {};
  if (context.loopbackOnly) throw new Refused("address-not-allowed");
  const [, shown = "", name] = /^([^%]*)(?:%([^]*))?$/.exec(prefix) ?? [];
  const address = shown === "" || shown === "*" ? undefined : numericAddress(unbracketed(shown));
  if (address === undefined && shown !== "" && shown !== "*") throw new Refused("bad-address");
  if (name !== undefined) {
    const size = new TextEncoder().encode(name).length;
    // Half of a surrogate pair doesn't survive the way through UTF-8.
    const wellFormed = new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(name)) === name;
    if (size < 1 || size > 15 || !wellFormed || /[ \p{Cc}]/u.test(name) || name === "." || name === "..") {
      throw new Refused("bad-interface-name");
    }
    if (!context.interfaces) throw new Refused("interface-unsupported");
  }
  return { ...(address !== undefined && { address }), ...(name !== undefined && { name }) };
}

function inclusion(chunk: string): Inclusion {
  const [, ports = "", junk = "", mapping] = /^([0-9]+(?:-[0-9]*)?)([^:]*)(?::([^]*))?$/.exec(chunk) ?? [];
  const { first, last } = portRange(ports);
  if (junk !== "") throw new Refused("unexpected-text");
  if (mapping === undefined) return { first, last, target: undefined, targetPort: first };
  if (mapping === "") throw new Refused("missing-target");
  if (/^[0-9-]+$/.test(mapping)) return { first, last, target: undefined, targetPort: mapped(mapping, first, last) };
  const slash = mapping.indexOf("/");
  if (slash < 0) return { first, last, target: targetAddress(mapping), targetPort: first };
  const target = targetAddress(mapping.slice(0, slash));
  return { first, last, target, targetPort: mapped(mapping.slice(slash + 1), first, last) };
}

/** First target port, of as many as are listened on. */
function mapped(text: string, first: number, last: number): number {
  const range = portRange(text);
  if (range.last - range.first !== last - first) throw new Refused("target-length");
  return range.first;
}

function portRange(text: string): { first: number; last: number } {
  const [, from = "", dash, to = "", junk = ""] = /^([0-9]*)(?:(-)([0-9]*))?([^]*)$/.exec(text) ?? [];
  const first = port(from);
  const last = dash === undefined || from === "" ? first : port(to);
  if (last < first) throw new Refused("port-order");
  if (junk !== "") throw new Refused("unexpected-text");
  return { first, last };
}

function port(digits: string): number {
  if (digits === "") throw new Refused("bad-port");
  if (Number(digits) > 65535) throw new Refused("port-too-great");
  return Number(digits);
}

function targetAddress(text: string): string {
  if (text === "") throw new Refused("missing-target");
  const target = numericAddress(unbracketed(text));
  if (target === undefined) throw new Refused("bad-target");
  if (target === "::") throw new Refused("unspecified-target");
  return target;
}

function unbracketed(text: string): string {
  return /^\[([^]*)\]$/.exec(text)?.[1] ?? text;
}

/** The canonical text of an address; nothing for what isn't one. */
function numericAddress(text: string): string | undefined {
  return isIPv4(text) || (isIPv6(text) && !text.includes("%"))
    ? formatOracleAddress(parseOracleAddress(text))
    : undefined;
}

/** The ports of a range that aren't excluded, in runs. */
function runs({ first, last }: Inclusion, excluded: ReadonlySet<number>): { first: number; last: number }[] {
  const found: { first: number; last: number }[] = [];
  for (let port = first; port <= last; port++) {
    if (excluded.has(port)) continue;
    const run = found.at(-1);
    if (run !== undefined && run.last === port - 1) run.last = port;
    else found.push({ first: port, last: port });
  }
  return found;
}

/** What to listen on: an address, and an interface perhaps. */
function ends(
  address: string | undefined,
  name: string | undefined,
  { ipv4, ipv6, interfaces, loopbackOnly }: OracleContext,
): { address: string; interface?: string }[] {
  if (loopbackOnly && !interfaces) {
    return [...(ipv4 || !ipv6 ? ["127.0.0.1"] : []), ...(ipv6 || !ipv4 ? ["::1"] : [])].map((address) => ({ address }));
  }
  const wildcard = ipv4 === ipv6 ? "*" : ipv4 ? "0.0.0.0" : "::";
  const bound = loopbackOnly ? "lo" : name;
  return [{ address: address ?? wildcard, ...(bound !== undefined && { interface: bound }) }];
}
