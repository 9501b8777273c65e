/**
 * **pesto**: a port forwarder whose rules change while it runs, and the client that changes them.
 *
 * {@linkcode serve} starts a forwarder with a control socket. {@linkcode look} lists the rules behind a control socket,
 * {@linkcode connect} opens a transaction that replaces them. A rule is a plain object, {@linkcode Rule};
 * {@linkcode parseSpecifier} reads one from text as it stands on a command line, and {@linkcode ruleText} prints one.
 *
 * Importing this module needs no permission. Serving needs `--allow-net`, `--allow-read` and `--allow-write` for the
 * control socket, and `--allow-sys` for its file mode and the machine's own addresses; being a client needs
 * `--allow-read` and `--allow-write`.
 *
 * @example A forwarder in a program
 * ```ts
 * import { connect, look, serve } from "./mod.ts";
 *
 * const path = `${await Deno.makeTempDir()}/control`;
 * await using server = await serve({ path });
 *
 * using session = await connect(path);
 * const rule = { protocol: "tcp", address: "127.0.0.1", firstPort: 28080, lastPort: 28080, targetPort: 80, weak: false, scan: false } as const;
 * const result = await session.update({ HOST: [rule] });
 * console.log(`Revision ${result.revision}: ${result.opened} opened`);
 * console.log((await look(path)).pifs[0]?.rules);
 * ```
 *
 * @module
 */

export { connect, look, Session, settle, StagedUpdate, UpdateError } from "./client.ts";
export type {
  ConnectOptions,
  ListedPif,
  Listing,
  ReportedPorts,
  ReportedRule,
  StageOptions,
  TableEdits,
  UpdateOptions,
  UpdateResult,
} from "./client.ts";
export { CAPABILITY, CODE, FEATURE, SPECIFIER_FAULT } from "./codec/constants.ts";
export { DeadlineError } from "./codec/deadlines.ts";
export {
  PestoError,
  ProtocolError,
  type RuleLocation,
  SpecifierError,
  type SpecifierPlace,
  TableError,
} from "./codec/errors.ts";
export { ruleText } from "./codec/format.ts";
export { type ParsedSpecifier, parseSpecifier, type PortRange, type SpecifierContext } from "./codec/specifier.ts";
export type {
  Code,
  FailedPorts,
  Hello,
  ListedRule,
  Outcome,
  Protocol,
  Rule,
  RuleStatus,
  SpecifierCode,
  Verdict,
} from "./codec/types.ts";
export { serve, Server } from "./server.ts";
export type { MayUpdate, PifOptions, PifsOptions, ServeOptions } from "./server.ts";
export type { BackendName } from "./sync/backends.ts";
export { type BackendOptions, BindError, type Endpoint } from "./sync/backend.ts";
