/**
 * More clients than a control socket talks with: they wait, and what is relayed doesn't notice.
 *
 * @module
 */

import { assertEquals } from "../assert.ts";
import { RawClient } from "../harness.ts";
import { until, within } from "../sync/harness.ts";
import { Scene } from "./scene.ts";

/** As many as server.ts admits. */
const PLACES = 1024;

Deno.test({
  name: `serve() talks with ${PLACES} clients at a time, and with the next one as soon as one of them leaves`,
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using scene = await Scene.start({ fresh: 0, readSeconds: 300, transactionSeconds: 300 });
    await using stack = new AsyncDisposableStack();
    const clients: RawClient[] = [];
    for (let count = 0; count < PLACES; count++) clients.push(stack.use(await RawClient.connect(scene.path)));
    const full =
      `Can't talk with more clients on "${scene.path}": ${PLACES} are there, the most allowed; new ones wait`;
    const late = RawClient.connect(scene.path).then((client) => stack.use(client));
    let greeted = false;
    late.then(() => greeted = true);
    await until("the server saying that it is full", () => scene.running.logged.includes(full));
    await scene.traffic.take();
    await until("traffic beside them", async () => (await scene.traffic.take()).length > 0);
    assertEquals(greeted, false);

    clients[0]?.[Symbol.dispose]();
    await within("the greeting of the one that waited", late);
    assertEquals(scene.running.logged.filter((message) => message === full).length, 1);
    assertEquals((await scene.traffic.stop()).faults, []);
  },
});
