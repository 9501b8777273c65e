import type { Rule } from "../codec/types.ts";

/** A TCP rule for one port of 127.0.0.1. */
export function tcpRule(port: number, targetPort: number, more: Partial<Rule> = {}): Rule {
  const rule = { protocol: "tcp", address: "127.0.0.1", firstPort: port, lastPort: port, targetPort } as const;
  return { ...rule, weak: false, scan: false, ...more };
}
