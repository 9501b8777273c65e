/** Who may change rules: the server, with clients of its own user and of another. */

import { connect, look } from "../client.ts";
import { PestoError } from "../codec/errors.ts";
import { nativeClient } from "../codec/native.ts";
import { serve } from "../server.ts";
import { linuxAvailable } from "../sync/linux.ts";
import { assertEquals, assertRejects } from "./assert.ts";
import { TestServer, updateBytes } from "./harness.ts";
import { noOtherUser, OTHER_UID, OtherUser } from "./other_user.ts";
import { passtUpdate } from "./passt_update.ts";

/** How a line ends that is about this process, but for its name. */
const BY = ` (by uid ${Deno.uid()}, pid ${Deno.pid}`;
const tells = linuxAvailable().kind === "available";

/** A test that needs another user; where there is none, its name says why it is skipped. */
function otherUserTest(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name: noOtherUser === undefined ? name : `${name} (skipped: ${noOtherUser})`,
    ignore: noOtherUser !== undefined,
    fn,
  });
}

Deno.test({
  name: "serve() logs who has changed the rules, and who has been refused",
  ignore: !tells,
  async fn() {
    await using running = await TestServer.start();
    using session = await connect(running.path);
    await session.update({ HOST: [] });
    const [changed = ""] = running.logged;
    assertEquals(changed.slice(0, changed.lastIndexOf(", ")), `Revision 2: 0 kept, 0 opened, 0 retired, 0 failed${BY}`);
    using late = await connect(running.path);
    assertEquals((await late.settle("commit")).code, "nothing-held");
    assertEquals(
      running.logged[1]?.startsWith(`Refused an update: Can't commit: no applied table waits for it${BY}, `),
      true,
    );
  },
});

otherUserTest("serve() lets another user look, and refuses an update, a commit and a rollback of its", async () => {
  await using running = await TestServer.start();
  const sentence = `Can't change the rules as user "${OTHER_UID}": only user 0 may, others may look`;
  for (const bytes of [updateBytes([]), nativeClient.settle("commit"), nativeClient.settle("rollback")]) {
    await using other = await OtherUser.connect(running.path);
    assertEquals((await other.until("hello")).hello.revision, 1n);
    await other.until("listed");
    await other.send(bytes);
    const { verdict } = await other.until("rejected");
    assertEquals([verdict.outcome, verdict.code, verdict.sentence], ["rejected", "permission", sentence]);
    assertEquals(
      running.logged.pop()?.startsWith(`Refused an update: ${sentence} (by uid ${OTHER_UID}, pid ${other.pid}, `),
      true,
    );
  }
  assertEquals((await look(running.path)).hello.revision, 1n);
});

otherUserTest("serve() takes no update of another user in the released dialect, and logs it", async () => {
  await using folder = new AsyncDisposableStack();
  const path = await Deno.makeTempDir({ prefix: "pesto-test-" });
  folder.defer(() => Deno.remove(path, { recursive: true }));
  await using running = await TestServer.start({ passtPath: `${path}/passt` });
  await using other = await OtherUser.connect(`${path}/passt`);
  await other.send(passtUpdate([]));
  while (running.logged.length === 0) await look(running.path);
  assertEquals(
    running.logged[0]?.startsWith(`Refused an update: Can't change the rules as user "${OTHER_UID}": only user 0 may`),
    true,
  );
  assertEquals((await look(running.path)).hello.revision, 1n);
});

for (const mayUpdate of ["anyone", [OTHER_UID]] as const) {
  otherUserTest(`serve() takes an update of another user with mayUpdate ${JSON.stringify(mayUpdate)}`, async () => {
    await using running = await TestServer.start({ mayUpdate });
    await using other = await OtherUser.connect(running.path);
    await other.until("listed");
    await other.send(updateBytes([]));
    assertEquals((await other.until("result")).verdict.outcome, "done");
    const by = ` (by uid ${OTHER_UID}, pid ${other.pid}, deno)`;
    assertEquals(running.logged, [`Revision 2: 0 kept, 0 opened, 0 retired, 0 failed${by}`]);
  });
}

Deno.test("serve() says once that it can't tell users apart, and refuses a list of them then", async () => {
  const directory = await Deno.makeTempDir({ prefix: "pesto-test-" });
  try {
    const options = { path: `${directory}/control`, backend: "portable" } as const;
    const logged: string[] = [];
    {
      await using _server = await serve({
        ...options,
        passtPath: `${directory}/passt`,
        log: (line) => logged.push(line),
      });
    }
    assertEquals(logged.map((line) => line.slice(0, line.indexOf(":"))), [
      "Whoever may connect to the control socket may change the rules, and isn't named in the log",
    ]);
    const error = await assertRejects(() => serve({ ...options, mayUpdate: [1000] }), PestoError);
    assertEquals(error.code, "backend-unavailable");
    assertEquals([...Deno.readDirSync(directory)], []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("serve() looks at mayUpdate before it does anything", async () => {
  const options = { path: "/nowhere/control", mayUpdate: [1000, -1] };
  const { message } = await assertRejects(() => serve(options), RangeError);
  assertEquals(message, `Can't let user "-1" change rules: it must be a whole number from 0 to 4294967294`);
});
