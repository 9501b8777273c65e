/**
 * What a server says to an update, put together from its events.
 *
 * @module
 */

import { PestoError, ProtocolError } from "./errors.ts";
import { RuleTable } from "./table.ts";
import type { FailedPorts, ListedRule, RuleFailure, ServerEvent, Verdict } from "./types.ts";

/** A rule that has not got all of its sockets. */
export interface ReportedRule {
  /** Name of its pif. */
  readonly pif: string;
  /** The rule, with its status. */
  readonly rule: ListedRule;
}

/** Ports of one rule that have no socket. */
export interface ReportedPorts {
  /** Name of its pif. */
  readonly pif: string;
  /** Index of the rule in that pif's table. */
  readonly rule: number;
  /** In ascending order. */
  readonly ports: readonly FailedPorts[];
}

/** What a server did with an update, or would do. */
export interface UpdateResult extends Verdict {
  /** The rules whose status is not fine. */
  readonly rules: readonly ReportedRule[];
  /** The ports that have no socket. */
  readonly failures: readonly ReportedPorts[];
}

/**
 * An update that the server didn't carry out. `code` is the result's.
 *
 * @example What went wrong, and where
 * ```ts
 * import { connect, serve, UpdateError } from "../mod.ts";
 *
 * const path = `${await Deno.makeTempDir()}/control`;
 * await using server = await serve({ path });
 * using session = await connect(path);
 * const rule = { protocol: "tcp", address: "*", firstPort: 0, lastPort: 0, targetPort: 80, weak: false, scan: false } as const;
 * try {
 *   await session.update({ HOST: [rule] });
 * } catch (error) {
 *   if (!(error instanceof UpdateError)) throw error;
 *   console.log(error.result.outcome, error.code, error.result.rule); // rejected port-zero 0
 * }
 * ```
 */
export class UpdateError extends PestoError {
  /** Name of the class. */
  override readonly name = "UpdateError";
  /** What the server said. */
  readonly result: UpdateResult;
  /** Takes the code and the sentence from the result. */
  constructor(result: UpdateResult) {
    super(result.code, result.sentence);
    this.result = result;
  }
}

/** What a server says to an update. */
export type Answer = { readonly kind: "accepted" } | { readonly kind: "result"; readonly result: UpdateResult };

/**
 * Reads up to the end of a report, to a refusal, or to the word that tables are accepted.
 *
 * @param next the next event, `undefined` after a hang-up; told whether it would be the first of a report
 * @param pifName the name of the pif with an id
 * @throws {ProtocolError} (as a rejection) if there is something else, or the server hung up before the end
 */
export async function readAnswer(
  next: (first: boolean) => Promise<ServerEvent | undefined>,
  pifName: (id: number) => string,
): Promise<Answer> {
  let verdict: Verdict | undefined;
  const rules: ReportedRule[] = [];
  const failures: ReportedPorts[] = [];
  for (;;) {
    const event = await next(verdict === undefined);
    switch (event?.kind) {
      case undefined:
        throw brokenOff();
      case "rejected":
        return { kind: "result", result: { ...event.verdict, rules, failures } };
      case "accepted":
        return { kind: "accepted" };
      case "result":
        verdict = event.verdict;
        break;
      case "rules": {
        using table = RuleTable.ofRecords(event.records);
        const pif = pifName(event.pif);
        rules.push(...table.listedRules().map((rule) => ({ pif, rule })));
        break;
      }
      case "ports":
        addPorts(failures, event.failure, pifName(event.failure.pif));
        break;
      case "reported":
        if (verdict === undefined) throw misplaced(event);
        return { kind: "result", result: { ...verdict, rules, failures } };
      case "table":
        break;
      case "hello":
      case "pif":
      case "listed":
        throw misplaced(event);
      default:
        event satisfies never;
    }
  }
}

/** Adds ports to those of the same rule, or as the next rule's. */
export function addPorts(failures: ReportedPorts[], { rule, ports }: RuleFailure, pif: string): void {
  const last = failures.at(-1);
  if (last?.pif === pif && last.rule === rule) {
    failures[failures.length - 1] = { ...last, ports: [...last.ports, ...ports] };
  } else failures.push({ pif, rule, ports });
}

/** The error for a hang-up before a result is complete. */
export function brokenOff(cause?: unknown): ProtocolError {
  return new ProtocolError("truncated", "Can't read the result: the server hung up before it was complete", { cause });
}

/** The error for an event that its place in the conversation doesn't allow. */
export function misplaced(event: ServerEvent): ProtocolError {
  return new ProtocolError("unexpected-frame", `Can't take "${event.kind}" from the server: it has no place there`);
}
