import { changesOf, changesText } from "../../cli/changes.ts";
import type { ListedRule, Rule } from "../../codec/types.ts";
import { assertEquals } from "../assert.ts";
import { tcpRule } from "../rules.ts";

const pif = (name: string, ...rules: Rule[]) => ({
  name,
  rules: rules.map((rule): ListedRule => ({ ...rule, status: "bound", failedPorts: 0 })),
});

Deno.test("changesOf() tells deleted, altered and added rules apart", () => {
  const [one, two, three] = [tcpRule(1, 1), tcpRule(2, 2), tcpRule(3, 3)];
  const other = tcpRule(2, 2, { target: "127.0.0.9" });
  assertEquals(changesOf([pif("HOST", one, two)], { HOST: [other, three] }), [
    { pif: "HOST", deleted: [one], altered: [{ before: two, after: other }], added: [three] },
  ]);
});

Deno.test("changesOf() takes every field of an endpoint for another endpoint, and all else for another route", () => {
  const kindOf = (more: Partial<Rule>) => {
    const [change] = changesOf([pif("HOST", tcpRule(80, 80))], { HOST: [tcpRule(80, 80, more)] });
    return change === undefined ? "same" : change.altered.length === 1 ? "altered" : "replaced";
  };
  const fields: Partial<Rule>[] = [
    ...[{}, { target: "::1" }, { targetPort: 81 }, { weak: true }, { scan: true }],
    ...[{ protocol: "udp" } as const, { address: "::1" }, { interface: "lo" }, { firstPort: 79 }, { lastPort: 81 }],
  ];
  assertEquals(fields.map(kindOf), ["same", ...Array(4).fill("altered"), ...Array(5).fill("replaced")]);
});

Deno.test("changesOf() passes over tables that nobody edits, and the order of rules", () => {
  const [one, two] = [tcpRule(1, 1), tcpRule(2, 2)];
  assertEquals(changesOf([pif("HOST", one, two), pif("SPLICE", one)], { HOST: [two, one] }), []);
});

Deno.test("changesText() writes a line for each rule, below its pif", () => {
  const rule = (port: number, target: number) => tcpRule(port, target);
  const changes = [
    {
      pif: "HO\x1bST",
      deleted: [rule(1, 1)],
      altered: [{ before: rule(2, 2), after: rule(2, 9) }],
      added: [rule(3, 3)],
    },
    { pif: "SPLICE", deleted: [], altered: [], added: [rule(4, 4)] },
  ];
  assertEquals(
    changesText(changes),
    "  HO\ufffdST\n" +
      "- TCP [127.0.0.1]:1  =>  1\n" +
      "~ TCP [127.0.0.1]:2  =>  9 (was TCP [127.0.0.1]:2  =>  2)\n" +
      "+ TCP [127.0.0.1]:3  =>  3\n" +
      "  SPLICE\n" +
      "+ TCP [127.0.0.1]:4  =>  4\n",
  );
  assertEquals(changesText([]), "");
});
