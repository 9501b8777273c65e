import { explainFailures, failureLines } from "../../cli/failures.ts";
import type { WantedPorts } from "../../cli/processes.ts";
import { systemError } from "../../sync/errno.ts";
import { assertEquals } from "../assert.ts";
import { tcpRule } from "../rules.ts";

const [IN_USE, DENIED] = [systemError("EADDRINUSE").errno, systemError("EACCES").errno];
const TABLES = { HOST: [tcpRule(1, 1), tcpRule(80, 80, { lastPort: 85 })], SPLICE: [tcpRule(90, 90)] };
const row = (first: number, last: number, errno: number) => ({ first, last, errno });
const FAILURES = [
  { pif: "HOST", rule: 1, ports: [row(80, 80, IN_USE), row(82, 83, DENIED), row(84, 85, IN_USE)] },
  { pif: "SPLICE", rule: 0, ports: [row(90, 90, IN_USE)] },
];
const nobody = () => [];

Deno.test("failureLines() shows a table of rules, ports and reasons", () => {
  assertEquals(failureLines(explainFailures(FAILURES, TABLES, nobody), TABLES), [
    "PIF     RULE                              PORTS  ERROR",
    "HOST    TCP [127.0.0.1]:80-85  =>  80-85  80     address in use (EADDRINUSE)",
    "HOST    TCP [127.0.0.1]:80-85  =>  80-85  82-83  permission denied (EACCES)",
    "HOST    TCP [127.0.0.1]:80-85  =>  80-85  84-85  address in use (EADDRINUSE)",
    "SPLICE  TCP [127.0.0.1]:90  =>  90        90     address in use (EADDRINUSE)",
  ]);
  assertEquals(failureLines([], TABLES), []);
});

Deno.test("failureLines() has one more column where it is known who listens", () => {
  const holders = [{ pid: 7, command: "nginx" }, { pid: 9, command: "ca\x1bddy" }];
  const find = (wanted: readonly WantedPorts[]) => wanted.map(({ first }) => first === 80 ? holders : []);
  const failures = explainFailures(FAILURES.slice(0, 1), TABLES, find);
  assertEquals(failureLines(failures, TABLES).map((line) => line.slice(40)), [
    "PORTS  ERROR                        HELD BY",
    "80     address in use (EADDRINUSE)  nginx (7), ca\ufffdddy (9)",
    "82-83  permission denied (EACCES)",
    "84-85  address in use (EADDRINUSE)",
  ]);
});

Deno.test("failureLines() counts the rules of a table that it doesn't have", () => {
  const failures = explainFailures([{ pif: "X", rule: 1, ports: [row(80, 80, 9999)] }], {}, nobody);
  assertEquals(failureLines(failures, {}).at(1), "X    rule 2  80     error number 9999 (E9999)");
});

Deno.test("explainFailures() asks who listens only where an address of HOST is in use", () => {
  const asked: number[] = [];
  const [host] = explainFailures(FAILURES, TABLES, (wanted) => {
    asked.push(...wanted.map(({ first }) => first));
    return wanted.map(({ first }) => [{ pid: first, command: "x" }]);
  });
  assertEquals(asked, [80, 84]);
  assertEquals(host?.ports.map(({ error, holders }) => [error, holders.map(({ pid }) => pid)]), [
    ["EADDRINUSE", [80]],
    ["EACCES", []],
    ["EADDRINUSE", [84]],
  ]);
});
