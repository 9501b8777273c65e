import { checkMayUpdate, Editor, Editors, type MayUpdate } from "../../sync/editors.ts";
import { Refusal } from "../../sync/refusal.ts";
import { assertEquals, assertThrows } from "../assert.ts";

/** Who of these users may change rules on a server that runs as 1000. */
function admitted(mayUpdate: MayUpdate, ownUid: number | undefined = 1000): number[] {
  const editors = new Editors(mayUpdate, ownUid);
  return [0, 1000, 1001, 65534].filter((uid) => {
    try {
      editors.demand({ uid, gid: 0, pid: 1 });
      return true;
    } catch (error) {
      if (error instanceof Refusal) return false;
      throw error;
    }
  });
}

Deno.test("Editors.demand() lets root, the server's own user and those named change rules", () => {
  assertEquals(admitted("owner"), [0, 1000]);
  assertEquals(admitted([1001]), [0, 1000, 1001]);
  assertEquals(admitted("anyone"), [0, 1000, 1001, 65534]);
  assertEquals(admitted("owner", 0), [0]);
});

Deno.test("Editors.demand() lets everybody in where users can't be told apart", () => {
  new Editors("owner", undefined).demand(undefined);
});

Deno.test("Editors.demand() says who it would have to be", () => {
  const refusal = (mayUpdate: MayUpdate, ownUid: number) =>
    assertThrows(() => new Editors(mayUpdate, ownUid).demand({ uid: 1001, gid: 1001, pid: 7 }), Refusal);
  const { outcome, code, message } = refusal("owner", 0);
  assertEquals([outcome, code], ["rejected", "permission"]);
  assertEquals(message, `Can't change the rules as user "1001": only user 0 may, others may look`);
  assertEquals(
    refusal([1002], 1000).message,
    `Can't change the rules as user "1001": only users 0, 1000 and 1002 may, others may look`,
  );
});

Deno.test("Editor.byline is what is known of the client", () => {
  const byline = (pid: number) => new Editor(new Editors("owner", 0), { uid: 1000, gid: 1000, pid }).byline;
  // A namespace hides the process, or it has ended: there is none with the greatest number.
  assertEquals(byline(0), " (by uid 1000)");
  assertEquals(byline(2 ** 31 - 1), " (by uid 1000, pid 2147483647)");
  assertEquals(new Editor(new Editors("owner", 0), undefined).byline, "");
});

Deno.test("checkMayUpdate() takes numbers that a user may have", () => {
  for (const good of ["owner", "anyone", [], [0, 4294967294]] as const) checkMayUpdate(good);
  for (const bad of [[-1], [1.5], [4294967295], [NaN]]) assertThrows(() => checkMayUpdate(bad), RangeError);
});
