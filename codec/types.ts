/**
 * The values that the codec turns bytes into: rules, pifs, and what each side of a control socket says.
 *
 * @module
 */

import type { CODE, OUTCOME, SPECIFIER_FAULT } from "./constants.ts";

/** A transport protocol that can be forwarded. */
export type Protocol = "tcp" | "udp";

/**
 * One forwarding rule. Addresses are text in their canonical form (RFC 5952 for IPv6, no brackets); an IPv4-mapped IPv6
 * address is written as the IPv4 one.
 */
export interface Rule {
  /** Transport protocol of the ports, on both sides. */
  readonly protocol: Protocol;
  /** Address to listen on; `"*"` for dual stack (any IPv4 and any IPv6 address), `"::"` alone is IPv6 only. */
  readonly address: string;
  /** Name of the interface to listen on, 1 to 15 bytes; absent for any. */
  readonly interface?: string;
  /** First port to listen on, 1 to 65535. */
  readonly firstPort: number;
  /** Last port to listen on, 1 to 65535. */
  readonly lastPort: number;
  /** Address to forward to; absent for the pif's default target. */
  readonly target?: string;
  /** Where `firstPort` goes; port n goes to `targetPort + (n - firstPort)`. */
  readonly targetPort: number;
  /** Ports that can't be bound are no error, unless none can. */
  readonly weak: boolean;
  /** Listen only on ports that something in the target listens on. */
  readonly scan: boolean;
}

/** What a rule's sockets are doing, as a server reports it. */
export type RuleStatus = "unset" | "bound" | "partial" | "failed" | "waiting";

/** A rule as a server lists it: with the state of its sockets. */
export interface ListedRule extends Rule {
  /** What its sockets are doing. */
  readonly status: RuleStatus;
  /** How many ports of the range have no socket. */
  readonly failedPorts: number;
}

/** The stable name of a reason; the numbers are in PROTOCOL.md. */
export type Code = keyof typeof CODE;

/** The stable name of a reason why a port specifier is refused. */
export type SpecifierCode = Exclude<keyof typeof SPECIFIER_FAULT, "none">;

/** How a transaction ended. */
export type Outcome =
  | "done"
  | "rejected"
  | "rolled-back"
  | "rollback-incomplete"
  | "stale"
  | "busy"
  | "timed-out"
  | "protocol-error";

/** The outcomes in the order of their numbers on the wire. */
export type OutcomeNumber = (typeof OUTCOME)[keyof typeof OUTCOME];

/** What a server announces first. Times in seconds; a revision or time of 0 is one that its dialect leaves open. */
export interface Hello {
  /** Version of the dialect that the server speaks. */
  readonly version: number;
  /** The oldest version that a client may speak. */
  readonly minCompat: number;
  /** Bits of {@linkcode FEATURE}. */
  readonly features: number;
  /** Of the table that is listed; grows with every committed one. */
  readonly revision: bigint;
  /** The most pifs. */
  readonly maxPifs: number;
  /** The most rules per pif. */
  readonly maxRules: number;
  /** The most sockets per pif. */
  readonly maxSockets: number;
  /** How long one conversation may take. */
  readonly transactionSeconds: number;
  /** The longest that an applied table may wait for its commit. */
  readonly holdSeconds: number;
}

/** One pif as announced, without its rules. */
export interface PifHeader {
  /** 1 to 255. */
  readonly id: number;
  readonly name: string;
  /** Bits of {@linkcode CAPABILITY}. */
  readonly capabilities: number;
  /** Address for rules without a target of their own; absent for none. */
  readonly defaultTarget?: string;
  readonly ruleCount: number;
  /** How many rows of ports without a socket are listed after its rules; 0 from a server whose dialect has no words for them. */
  readonly runCount: number;
}

/** How a client wants its tables to be taken. */
export type UpdateMode = "staged" | "one-shot" | "check";

/** The head of an update. */
export interface UpdateHeader {
  /** The client's protocol version. */
  readonly version: number;
  readonly mode: UpdateMode;
  /** The revision that the edit was made from; absent if any will do. */
  readonly base?: bigint;
  /** Roll back if the result can't be delivered. */
  readonly rollBackUndelivered: boolean;
  /** Seconds to wait for the commit before rolling back; 0 for the server's own limit. */
  readonly holdSeconds: number;
  /** How many tables follow; 0 from a client whose dialect doesn't say it in advance. */
  readonly pifCount: number;
}

/** What REJECTED and RESULT say. */
export interface Verdict {
  /** How the transaction ended. */
  readonly outcome: Outcome;
  /** Why; `none` if it went well. */
  readonly code: Code;
  /** Id of the pif concerned. */
  readonly pif?: number;
  /** Index of the rule concerned in that pif's new table. */
  readonly rule?: number;
  /** Index of the rule that it conflicts with. */
  readonly otherRule?: number;
  /** Id of that other rule's pif. */
  readonly otherPif?: number;
  /** Revision of the table now in force. */
  readonly revision: bigint;
  /** Endpoints whose socket stayed. */
  readonly kept: number;
  /** New sockets, `rebound` ones included. */
  readonly opened: number;
  /** Endpoints that are no longer served. */
  readonly retired: number;
  /** Endpoints that should have a socket and have none. */
  readonly failed: number;
  /** New sockets for which an old one had to be closed first. */
  readonly rebound: number;
  /** For people; may be empty. At most 1024 bytes as UTF-8. */
  readonly sentence: string;
}

/** Ports in a row that failed for the same reason. */
export interface FailedPorts {
  /** First port of the row. */
  readonly first: number;
  /** Last port of the row. */
  readonly last: number;
  /** Linux's error number. */
  readonly errno: number;
}

/** The failed ports of one rule. */
export interface RuleFailure {
  /** Id of the pif. */
  readonly pif: number;
  /** Index in that pif's table. */
  readonly rule: number;
  /** In ascending order. */
  readonly ports: readonly FailedPorts[];
}

/**
 * What a client's bytes say. `records` of a `rules` event are whole 64-byte records whatever the dialect; they are the
 * receiver's to keep.
 */
export type ClientEvent =
  | { readonly kind: "update"; readonly header: UpdateHeader }
  | { readonly kind: "table"; readonly pif: number; readonly ruleCount: number }
  | { readonly kind: "rules"; readonly pif: number; readonly records: Uint8Array }
  /** All tables have been sent. */
  | { readonly kind: "end" }
  | { readonly kind: "apply" }
  /** As `rollback`: of the client's own table after `apply`, of another client's as the first event. */
  | { readonly kind: "commit" }
  | { readonly kind: "rollback" };

/** What a server's bytes say. */
export type ServerEvent =
  | { readonly kind: "hello"; readonly hello: Hello }
  | { readonly kind: "pif"; readonly pif: PifHeader }
  /** Records of a listed pif, or in a report of the pif that the last `table` named. */
  | { readonly kind: "rules"; readonly pif: number; readonly records: Uint8Array }
  /** The listing is complete. */
  | { readonly kind: "listed" }
  | { readonly kind: "accepted" }
  | { readonly kind: "rejected"; readonly verdict: Verdict }
  | { readonly kind: "result"; readonly verdict: Verdict }
  | { readonly kind: "table"; readonly pif: number; readonly ruleCount: number }
  /** Ports of the listed pif, or in a report of any; those of one rule may come in several parts. */
  | { readonly kind: "ports"; readonly failure: RuleFailure }
  /** The report that began with `result` is complete. */
  | { readonly kind: "reported" };
