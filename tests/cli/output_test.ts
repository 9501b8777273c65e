import { listingText, missingLines } from "../../cli/output.ts";
import type { Holder } from "../../cli/processes.ts";
import type { RuleStatus } from "../../codec/types.ts";
import { type SystemError, systemError } from "../../sync/errno.ts";
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

Deno.test("listingText() says which ports have no socket, why, and because of whom", () => {
  const [IN_USE, DENIED] = [systemError("EADDRINUSE"), systemError("EACCES")];
  const row = ({ errno, name: error }: SystemError, first: number, last = first, ...holders: Holder[]) => ({
    ...{ first, last, errno, error, holders },
  });
  const nginx = { pid: 12, command: "ngi\x1bnx" };
  const rule = (firstPort: number, lastPort: number, status: RuleStatus, failedPorts: number) => ({
    ...tcpRule(firstPort, firstPort, { lastPort }),
    status,
    failedPorts,
  });
  const many = Array.from({ length: 12 }, (_, index) => row(IN_USE, 100 + 2 * index));
  const pif = {
    ...{ id: 1, name: "HOST", capabilities: 0 },
    rules: [
      rule(1, 1, "bound", 0),
      rule(10, 19, "partial", 5),
      rule(20, 21, "failed", 2),
      rule(30, 31, "failed", 2),
      rule(100, 200, "partial", 12),
    ],
    failures: [
      { rule: 1, ports: [row(IN_USE, 11, 13, nginx), row(DENIED, 15), row(IN_USE, 17, 17, nginx)] },
      { rule: 2, ports: [row(IN_USE, 20), row(IN_USE, 21)] },
      { rule: 3, ports: [row(IN_USE, 30), row(DENIED, 31)] },
      { rule: 4, ports: many },
    ].map((failure) => ({ ...failure, pif: "HOST" })),
  };
  assertEquals(
    listingText("Rules", "/x", [pif]).split("\n").slice(2).map((line) => line.split("  =>  ")[1] ?? ""),
    [
      "1 ",
      "10-19  (5 ports without a socket: 11-13, 17: address in use (EADDRINUSE), held by ngi\ufffdnx (12); " +
      "15: permission denied (EACCES))",
      "20-21  (failed: address in use (EADDRINUSE))",
      "30-31  (failed: 30: address in use (EADDRINUSE); 31: permission denied (EACCES))",
      "100-200  (12 ports without a socket: 100, 102, 104, 106, 108, 110, 112, 114 and 4 more ports: address in use (EADDRINUSE))",
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
