/**
 * Saying no to a client: nothing was touched, and its conversation ends.
 *
 * @module
 */

import { DeadlineError } from "../codec/deadlines.ts";
import { PestoError, ProtocolError } from "../codec/errors.ts";
import { faultText } from "../codec/format.ts";
import type { Code, Outcome, Verdict } from "../codec/types.ts";
import type { Validity } from "./forwarder.ts";

/** Thrown to end a conversation with a verdict; the message is its sentence. */
export class Refusal extends Error {
  readonly outcome: Outcome;
  readonly code: Code;
  /** What else the verdict says. */
  readonly details: Partial<Verdict>;

  constructor(outcome: Outcome, code: Code, sentence: string, details: Partial<Verdict> = {}) {
    super(sentence);
    this.outcome = outcome;
    this.code = code;
    this.details = details;
  }
}

/** What to tell a client that has caused an error, or has met with one of the server's own. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof ProtocolError) return new Refusal("protocol-error", error.code, error.message);
  if (error instanceof DeadlineError) return new Refusal("timed-out", error.code, error.message);
  if (error instanceof PestoError && error.code === "busy") return new Refusal("busy", "busy", error.message);
  if (error instanceof PestoError && error.code === "nothing-held") {
    return new Refusal("rejected", "nothing-held", error.message);
  }
  return new Refusal(
    "rejected",
    "internal",
    `Can't go on with the update: ${error instanceof Error ? error.stack : error}`,
  );
}

/** What to tell a client whose tables aren't valid; `recordOf` gives a rule's record. */
export function invalidity(
  validity: Extract<Validity, { kind: "invalid" }>,
  recordOf: (pif: number, rule: number) => Uint8Array,
): Refusal {
  const { kind: _, code, pif, rule, otherRule, otherPif = pif } = validity;
  const other = otherRule === undefined ? undefined : recordOf(otherPif, otherRule);
  const sentence = faultText(code, rule === undefined ? undefined : recordOf(pif, rule), other);
  return new Refusal("rejected", code, sentence, {
    pif,
    ...(rule !== undefined && { rule }),
    ...(otherRule !== undefined && { otherRule, otherPif }),
  });
}
