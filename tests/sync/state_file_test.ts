import { PestoError } from "../../codec/errors.ts";
import { RuleTable } from "../../codec/table.ts";
import { readState, type State, StateFile } from "../../sync/state_file.ts";
import { assertEquals, assertRejects } from "../assert.ts";
import { tcpRule } from "../rules.ts";

/** A folder for one test. */
async function folder() {
  const path = await Deno.makeTempDir();
  return {
    file: `${path}/state`,
    names: () => [...Deno.readDirSync(path)].map(({ name }) => name),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

const stateOf = (revision: bigint, ...ports: number[]): State => ({
  revision,
  tables: new Map([["HOST", RuleTable.of(ports.map((port) => tcpRule(port, 80)))], ["WEB", RuleTable.of([])]]),
});

/** Revision, and ports by pif. */
function summary(state: State | undefined) {
  return state &&
    [state.revision, [...state.tables].map(([name, table]) => [name, table.rules().map((r) => r.firstPort)])];
}

Deno.test("readState() gives what StateFile.write() wrote, without what sockets were doing", async () => {
  await using at = await folder();
  assertEquals(await readState(at.file), undefined);
  const state = stateOf(7n, 80, 81);
  state.tables.get("HOST")?.setAllStatus("bound");
  await new StateFile(at.file).write(state);
  const read = await readState(at.file);
  assertEquals(summary(read), [7n, [["HOST", [80, 81]], ["WEB", []]]]);
  assertEquals(read?.tables.get("HOST")?.listed(0).status, "unset");
  assertEquals([at.names(), (Deno.statSync(at.file).mode ?? 0) & 0o777], [["state"], 0o600]);
});

Deno.test("StateFile.write() leaves the newest state when many are written at once", async () => {
  await using at = await folder();
  const file = new StateFile(at.file);
  await Promise.all(Array.from({ length: 20 }, (_, index) => file.write(stateOf(BigInt(index), 1000 + index))));
  assertEquals(summary(await readState(at.file)), [19n, [["HOST", [1019]], ["WEB", []]]]);
  assertEquals(at.names(), ["state"]);
});

Deno.test("readState() refuses a file with any byte changed, cut off or added, and leaves it as it is", async () => {
  await using at = await folder();
  await new StateFile(at.file).write(stateOf(7n, 80));
  const good = await Deno.readFile(at.file);
  const bad: Uint8Array[] = [new Uint8Array([...good, 0])];
  for (let index = 0; index < good.length; index++) {
    bad.push(good.slice(0, index), good.with(index, (good[index] ?? 0) ^ 1));
  }
  for (const bytes of bad) {
    await Deno.writeFile(at.file, bytes);
    const error = await assertRejects(
      () => readState(at.file),
      PestoError,
      `Can't read the state file "${at.file}": it is`,
    );
    assertEquals(error.code, "state-file");
    assertEquals((await Deno.readFile(at.file)).length, bytes.length);
  }
});

Deno.test("StateFile.write() says so when it can't, and leaves the old file whole", async () => {
  await using at = await folder();
  const error = await assertRejects(() => new StateFile(`${at.file}/no/folder`).write(stateOf(1n)), PestoError);
  assertEquals(error.code, "state-file");
  await Deno.mkdir(at.file);
  await assertRejects(() => new StateFile(at.file).write(stateOf(1n)), PestoError, "Can't write the state file");
  assertEquals(at.names(), ["state"]);
});
