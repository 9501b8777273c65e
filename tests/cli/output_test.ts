import { failureLines, missingLines } from "../../cli/output.ts";
import { systemError } from "../../sync/errno.ts";
import { assertEquals } from "../assert.ts";
import { tcpRule } from "../rules.ts";

Deno.test("failureLines() names the rule, the ports and the reason", () => {
  const errno = systemError("EADDRINUSE").errno;
  const ports = [{ first: 80, last: 80, errno }, { first: 82, last: 83, errno: systemError("EACCES").errno }];
  assertEquals(
    failureLines([{ pif: "HOST", rule: 1, ports }], { HOST: [tcpRule(1, 1), tcpRule(80, 80, { lastPort: 85 })] }),
    [
      "No socket for TCP [127.0.0.1]:80-85  =>  80-85: port 80: address in use (EADDRINUSE)",
      "No socket for TCP [127.0.0.1]:80-85  =>  80-85: ports 82-83: permission denied (EACCES)",
    ],
  );
});

Deno.test("failureLines() counts the rules of a table that it doesn't have", () => {
  const ports = [{ first: 80, last: 80, errno: 9999 }];
  assertEquals(failureLines([{ pif: "HOST", rule: 1, ports }], {}), [
    "No socket for rule 2 of HOST: port 80: error number 9999 (E9999)",
  ]);
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
