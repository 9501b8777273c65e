import { outputOf } from "../sync/script.ts";
import { say } from "./scene.ts";

Deno.test({
  name: "serve() is not moved by 100,000 mutated transactions",
  ignore: Deno.build.os !== "linux",
  fn: async (test) => await say(test, (await outputOf("../faults/mutated_transactions.ts", {})).trim()),
});
