/** `pesto serve --allow-uid`, with a client that is another user. */

import { assertEquals } from "../assert.ts";
import { updateBytes } from "../harness.ts";
import { noOtherUser, OTHER_UID, OtherUser } from "../other_user.ts";
import { Serving } from "./program.ts";

const NOT_ALLOWED = ["--allow-uid", "1000"];
const cases: readonly (readonly [string[], string])[] = [
  [[], "Refused an update: Can't change the rules"],
  [NOT_ALLOWED, "Refused an update: Can't change the rules"],
  [[...NOT_ALLOWED, "--allow-uid", `${OTHER_UID}`], "Revision 2: "],
  [["--allow-uid", "any", ...NOT_ALLOWED], "Revision 2: "],
];

for (const [options, expected] of cases) {
  const name = `pesto serve ${[...options, ""].join(" ")}and an update of user ${OTHER_UID}: ${expected.split(":")[0]}`;
  Deno.test({
    name: noOtherUser === undefined ? name : `${name} (skipped: ${noOtherUser})`,
    ignore: noOtherUser !== undefined,
    async fn() {
      const folder = await Deno.makeTempDir({ prefix: "pesto-test-" });
      try {
        await using serving = await Serving.start(...options, `${folder}/control`);
        await using other = await OtherUser.connect(`${folder}/control`);
        await other.until("listed");
        await other.send(updateBytes([]));
        const line = await serving.logs(`(by uid ${OTHER_UID}, pid ${other.pid}, `);
        assertEquals(line.slice(0, expected.length), expected);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
