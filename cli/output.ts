/**
 * What the commands print: tables and results, for people and for programs.
 *
 * @module
 */

import { CAPABILITY } from "../codec/constants.ts";
import { tableText } from "../codec/format.ts";
import type { ListedRule } from "../codec/types.ts";
import type { ListedPif, Listing, ReportedPorts, UpdateResult } from "../client.ts";
import { errorText, systemErrorOfNumber } from "../sync/errno.ts";

/** Where a command prints to; tests give one of their own. */
export interface Output {
  /** Standard output, as is. */
  print(text: string): void;
  /** Standard error, one line. */
  complain(text: string): void;
}

/** A printed listing, under a heading. */
export function listingText(heading: string, path: string, pifs: readonly ListedPif[]): string {
  return [`${heading} (${path})\n`, ...pifs.map(({ name, rules }) => tableText(name, rules, statusNote))].join("");
}

/** What stands behind a rule that isn't served as it reads. */
function statusNote({ status, failedPorts }: ListedRule): string {
  switch (status) {
    case "unset":
    case "bound":
      return "";
    case "partial":
      return ` (${failedPorts} ports failed)`;
    case "failed":
      return " (failed)";
    case "waiting":
      return " (waiting)";
    default:
      return status satisfies never;
  }
}

/** A listing for programs. */
export function listingJson(path: string, { hello, pifs }: Listing): unknown {
  return {
    path,
    version: hello.version,
    revision: Number(hello.revision),
    pifs: pifs.map(({ capabilities, ...pif }) => ({ ...pif, capabilities: capabilityNames(capabilities) })),
  };
}

function capabilityNames(bits: number): string[] {
  return Object.entries(CAPABILITY).filter(([, bit]) => bits & bit).map(([name]) =>
    name.toLowerCase().replace("_", "-")
  );
}

/** A result for programs. */
export function resultJson(path: string, { revision, sentence, ...result }: UpdateResult): unknown {
  return { path, ...result, revision: Number(revision), message: sentence };
}

/** What a check found, for people. */
export function checkText({ kept, opened, retired, failed }: UpdateResult): string {
  return `Would keep ${sockets(kept)}, open ${opened}, retire ${retired}; ${failed} would fail\n`;
}

function sockets(count: number): string {
  return count === 1 ? "1 socket" : `${count} sockets`;
}

/** One line for each row of ports that have no socket. */
export function failureLines(result: UpdateResult): string[] {
  return result.failures.flatMap(({ pif, rule, ports }: ReportedPorts) =>
    ports.map(({ first, last, errno }) =>
      `${pif} rule ${rule + 1}: ${first === last ? `port ${first}` : `ports ${first}-${last}`}: ${
        errorText(systemErrorOfNumber(errno))
      }`
    )
  );
}
