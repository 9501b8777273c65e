import { parseArguments, UsageError } from "../../cli/arguments.ts";
import { assertEquals, assertThrows } from "../assert.ts";

const SPECS = [
  { name: "tcp-ports", short: "t", value: "SPEC" },
  { name: "add", short: "A" },
  { name: "show", short: "s" },
  { name: "json" },
];

/** Options as `name=value`, flags as `name`, operands as they are. */
function parsed(...args: string[]): string[] {
  return parseArguments(args, SPECS).map((argument) => {
    switch (argument.kind) {
      case "option":
        return `${argument.name}=${argument.value}`;
      case "flag":
        return argument.name;
      case "operand":
        return `'${argument.value}'`;
    }
  });
}

Deno.test("parseArguments() keeps the order in which arguments stand", () => {
  assertEquals(parsed("-t", "1", "PATH", "-A", "-t", "2"), ["tcp-ports=1", "'PATH'", "add", "tcp-ports=2"]);
});

Deno.test("parseArguments() takes combined and attached short options", () => {
  assertEquals(parsed("-As"), ["add", "show"]);
  assertEquals(parsed("-t80"), ["tcp-ports=80"]);
  assertEquals(parsed("-Ast80:81", "x"), ["add", "show", "tcp-ports=80:81", "'x'"]);
  assertEquals(parsed("-st", "80"), ["show", "tcp-ports=80"]);
});

Deno.test("parseArguments() takes long options with a value after = or following", () => {
  assertEquals(parsed("--tcp-ports=a=b", "--tcp-ports", "-A"), ["tcp-ports=a=b", "tcp-ports=-A"]);
  assertEquals(parsed("--json", "--tcp-ports="), ["json", "tcp-ports="]);
});

Deno.test("parseArguments() takes everything after -- and a lone - as operands", () => {
  assertEquals(parsed("-", "--", "-A", "--json"), ["'-'", "'-A'", "'--json'"]);
});

Deno.test("parseArguments() refuses what isn't there, lacks its value, or has one too many", () => {
  for (
    const [args, message] of [
      [["-x"], `Can't take "-x": there is no such option`],
      [["-Ax"], `Can't take "-x": there is no such option`],
      [["--nope=1"], `Can't take "--nope": there is no such option`],
      [["-t"], `Can't take "-t": SPEC must follow`],
      [["--tcp-ports"], `Can't take "--tcp-ports": SPEC must follow`],
      [["--add=1"], `Can't take "--add=1": --add has no value`],
    ] as const
  ) {
    assertEquals(assertThrows(() => parsed(...args), UsageError).message, message);
  }
});
