import { listingText, missingLines } from "../../cli/output.ts";
import type { RuleStatus } from "../../codec/types.ts";
import { assertEquals } from "../assert.ts";
import { tcpRule } from "../rules.ts";

Deno.test("listingText() says behind a rule what it lacks", () => {
  const rule = (firstPort: number, status: RuleStatus, failedPorts: number) => ({
    ...tcpRule(firstPort, firstPort),
    status,
    failedPorts,
  });
  const rules = [rule(1, "bound", 0), rule(2, "partial", 1), rule(3, "partial", 2), rule(4, "failed", 1)];
  assertEquals(
    listingText("Rules", "/x", [{ id: 1, name: "HOST", capabilities: 0, rules, failures: [] }]).split("\n"),
    [
      "Rules (/x)",
      "  HOST",
      "    TCP [127.0.0.1]:1  =>  1 ",
      "    TCP [127.0.0.1]:2  =>  2  (1 port without a socket)",
      "    TCP [127.0.0.1]:3  =>  3  (2 ports without a socket)",
      "    TCP [127.0.0.1]:4  =>  4  (failed)",
      "",
    ],
  );
});

Deno.test("missingLines() names each rule once, with all its ports", () => {
  const rules = [tcpRule(1, 1), tcpRule(80, 80, { lastPort: 85 })];
  const free = (first: number, last = first) => ({ first, last, taken: false });
  const taken = { first: 82, last: 82, taken: true };
  assertEquals(
    missingLines([
      { rule: 0, ports: [free(1)] },
      { rule: 1, ports: [free(80, 81), taken, free(83)] },
      { rule: 1, ports: [taken] },
    ], rules),
    [
      "Can't find a socket for TCP [127.0.0.1]:1  =>  1: nothing listens on port 1",
      "Can't find a socket for TCP [127.0.0.1]:80-85  =>  80-85: nothing listens on ports 80-81, 83; " +
      "another program listens on port 82",
      "Can't find a socket for TCP [127.0.0.1]:80-85  =>  80-85: another program listens on port 82",
    ],
  );
});

Deno.test("missingLines() names the programs that have the ports, each once", () => {
  const holders = [{ pid: 1, command: "nginx" }, { pid: 22, command: "caddy" }];
  const taken = { first: 80, last: 80, taken: true, holders };
  assertEquals(missingLines([{ rule: 0, ports: [taken, { ...taken, first: 82, last: 82 }] }], [tcpRule(80, 80)]), [
    "Can't find a socket for TCP [127.0.0.1]:80  =>  80: another program listens on ports 80, 82: nginx (1), caddy (22)",
  ]);
});
