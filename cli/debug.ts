/**
 * What `pesto --debug` tells of a conversation.
 *
 * @module
 */

import type { ListedPif, Session, TableEdits } from "../client.ts";
import { ruleText } from "../codec/format.ts";
import { printable } from "../codec/printable.ts";
import { capabilityNames } from "./output.ts";
import { counted } from "./quantities.ts";
import type { Verification } from "./verify.ts";

/** What the server has said of itself. */
export function greetingLines(path: string, { dialect, hello, pifs }: Session): string[] {
  const revision = dialect.name === "native" ? `, revision ${hello.revision}` : "";
  return [
    `Connected to "${path}": ${dialect.name} dialect, version ${dialect.version}${revision}`,
    ...pifs.map(({ id, name, capabilities, defaultTarget, rules }) => {
      const target = defaultTarget === undefined ? "" : `, default target ${defaultTarget}`;
      return `Pif ${id} "${printable(name)}": ${counted(rules.length, "rule")}${target}, can do ${
        capabilityNames(capabilities).join(", ") || "nothing"
      }`;
    }),
  ];
}

/** The tables that are wanted. */
export function editLines(tables: TableEdits, pifs: readonly ListedPif[]): string[] {
  return pifs.flatMap(({ name }) => {
    const rules = tables[name];
    if (rules === undefined) return [`Table of "${printable(name)}": as it is`];
    const list = [...rules];
    const lines = list.map((rule) => `    ${ruleText(rule)}`);
    return [`New table of "${printable(name)}": ${counted(list.length, "rule")}`, ...lines];
  });
}

/** What came of the look for sockets. */
export function verificationLine(verification: Verification): string {
  switch (verification.kind) {
    case "unknown":
      return "Can't look for sockets: the server is in another network namespace, or /proc doesn't show it";
    case "known":
      return `Looked for sockets: ${counted(verification.missing.length, "rule")} of HOST without`;
    default:
      return verification satisfies never;
  }
}
