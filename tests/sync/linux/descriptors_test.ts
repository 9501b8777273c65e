import { DescriptorBudget } from "../../../sync/linux/descriptors.ts";
import { openLibc } from "../../../sync/linux/libc.ts";
import { assert, assertEquals } from "../../assert.ts";

Deno.test({
  name: "DescriptorBudget has the kernel's table of descriptors made, and leaves some to flows and to the program",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using libc = openLibc();
    const open = () => [...Deno.readDirSync("/proc/self/fd")].length;
    const before = open();
    const budget = new DescriptorBudget(libc);
    await budget[Symbol.asyncDispose]();
    assertEquals(open(), before);
    const [, limit] = /^Max open files\s+(\d+)/m.exec(Deno.readTextFileSync("/proc/self/limits")) ?? [];
    const [, size] = /^FDSize:\s+(\d+)/m.exec(Deno.readTextFileSync("/proc/self/status")) ?? [];
    assert(Number(size) >= Math.min(Number(limit), 131_072), `${size} descriptors fit, and ${limit} may be open`);
    assert(budget.max < Number(limit));
    assert(budget.maxListeners < budget.max);
  },
});
