import { setImmediate } from "node:timers/promises";
import { Room } from "../../sync/room.ts";
import { assertEquals } from "../assert.ts";

Deno.test("Room.enter() lets nobody in beyond its places until one is given up, and says so once", async () => {
  const messages: string[] = [];
  const room = new Room(2, (message) => messages.push(message), "Full");
  const first = await room.enter();
  const second = await room.enter();
  assertEquals(messages, []);

  let entered = false;
  const third = room.enter().then((place) => {
    entered = true;
    return place;
  });
  await setImmediate();
  assertEquals([entered, messages], [false, ["Full"]]);
  first[Symbol.dispose]();
  await third;

  const fourth = room.enter();
  second[Symbol.dispose]();
  await fourth;
  assertEquals(messages, ["Full"]);
});
