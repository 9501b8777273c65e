import { Episode, Limit } from "../../sync/episode.ts";
import { assertEquals } from "../assert.ts";

Deno.test("Episode.begin() says the message once until it has ended", () => {
  const messages: string[] = [];
  const episode = new Episode((message) => messages.push(message), "Can't go on");
  episode.begin();
  episode.begin("not now");
  assertEquals(messages, ["Can't go on"]);
  episode.end();
  episode.begin("no time");
  assertEquals(messages, ["Can't go on", "Can't go on: no time"]);
});

Deno.test("Limit.admits() tells when it is reached, and again only after less than half was left", () => {
  const messages: string[] = [];
  const limit = new Limit(4, new Episode((message) => messages.push(message), "Full"));
  assertEquals([limit.admits(3), limit.admits(4)], [true, false]);
  limit.left(2);
  assertEquals([limit.admits(4), messages.length], [false, 1]);
  limit.left(1);
  assertEquals([limit.admits(4), messages.length], [false, 2]);
});
