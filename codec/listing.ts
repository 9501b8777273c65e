/**
 * What a server says of itself and of its rules when somebody connects, put together from its events.
 *
 * @module
 */

import { ProtocolError } from "./errors.ts";
import { RuleTable } from "./table.ts";
import type { Hello, ListedRule, PifHeader, ServerEvent } from "./types.ts";
import { addPorts, misplaced, type ReportedPorts, UpdateError } from "./update_result.ts";

/**
 * A pif as a server lists it.
 *
 * @example Which ports of a rule have no socket
 * ```ts
 * import { look, parseSpecifier, serve } from "../mod.ts";
 *
 * using taken = Deno.listen({ hostname: "127.0.0.28", port: 28084 });
 * const rules = parseSpecifier("127.0.0.28/28084-28086:80-82", { protocol: "tcp" });
 * await using server = await serve({
 *   path: `${await Deno.makeTempDir()}/control`,
 *   rules: { HOST: rules.kind === "rules" ? rules.rules.map((rule) => ({ ...rule, weak: true })) : [] },
 * });
 * const [host] = (await look(server.path)).pifs;
 * console.log(host?.rules[0]?.status, host?.failures[0]?.ports); // partial [ { first: 28084, last: 28084, errno: 98 } ]
 * ```
 */
export interface ListedPif {
  /** 1 to 255. */
  readonly id: number;
  /** What options call it, as HOST. */
  readonly name: string;
  /** Bits of {@linkcode CAPABILITY}. */
  readonly capabilities: number;
  /** Where rules without a target of their own go. */
  readonly defaultTarget?: string;
  /** In the order of its table. */
  readonly rules: readonly ListedRule[];
  /** The ports of these rules that have no socket, in the order of the rules; none from a released server, which doesn't tell. */
  readonly failures: readonly ReportedPorts[];
}

/** What a server says of itself, and its rules. */
export interface Listing {
  /** Version, revision and limits. */
  readonly hello: Hello;
  /** In the order in which the server lists them. */
  readonly pifs: readonly ListedPif[];
}

/**
 * Reads up to the end of the listing.
 *
 * @param next the next event, `undefined` after a hang-up
 * @throws {UpdateError} (as a rejection) if the server refuses to list anything
 * @throws {ProtocolError} (as a rejection) if there is something else, or the server hung up before the end
 */
export async function readListing(next: () => Promise<ServerEvent | undefined>): Promise<Listing> {
  let hello: Hello | undefined;
  const pifs: { header: PifHeader; rules: ListedRule[]; failures: ReportedPorts[] }[] = [];
  for (;;) {
    const event = await next();
    switch (event?.kind) {
      case undefined:
        throw new ProtocolError("truncated", "Can't read the listing: the server hung up before it was complete");
      case "rejected":
        throw new UpdateError({ ...event.verdict, rules: [], failures: [] });
      case "hello":
        hello = event.hello;
        break;
      case "pif":
        pifs.push({ header: event.pif, rules: [], failures: [] });
        break;
      case "rules": {
        using table = RuleTable.ofRecords(event.records);
        pifs.at(-1)?.rules.push(...table.listedRules());
        break;
      }
      case "ports": {
        const pif = pifs.at(-1);
        if (pif === undefined) throw misplaced(event);
        addPorts(pif.failures, event.failure, pif.header.name);
        break;
      }
      case "listed":
        if (hello === undefined) throw misplaced(event);
        return {
          hello,
          pifs: pifs.map(({ header: { ruleCount: _, runCount: __, ...header }, ...listed }) => ({
            ...header,
            ...listed,
          })),
        };
      case "accepted":
      case "result":
      case "table":
      case "reported":
        throw misplaced(event);
      default:
        event satisfies never;
    }
  }
}
