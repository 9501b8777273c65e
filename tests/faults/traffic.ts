/**
 * Traffic through a forwarder while a test does its worst: flows that talk all the while, and connections made without
 * pause. Clients and targets are in a thread of their own (`traffic_worker.ts`), so that they go on while the test's
 * thread, and with it the forwarder, is busy.
 *
 *     start() ─▶ begin() ─▶ take()* ─▶ stop()
 *
 * @module
 */

import { Worker } from "node:worker_threads";
import type { TrafficCommand, TrafficCounts, TrafficNews } from "./traffic_messages.ts";

/** Clients and two targets, "A" and "B", which say their name to whoever connects and then echo. */
export class Traffic implements AsyncDisposable {
  /** Ports of the targets on 127.0.0.1. */
  readonly targets: { readonly a: number; readonly b: number };
  readonly #worker: Worker;

  private constructor(worker: Worker, targets: { a: number; b: number }) {
    this.#worker = worker;
    this.targets = targets;
  }

  /** Starts the targets. */
  static async start(): Promise<Traffic> {
    const worker = new Worker(new URL("traffic_worker.ts", import.meta.url));
    return new Traffic(worker, await nextNews(worker, "targets"));
  }

  /** Resolves when every flow has had its first round trip. */
  async begin(ports: { flows: readonly number[]; fresh: readonly number[]; atOnce: number }): Promise<void> {
    await this.#ask({ kind: "begin", ...ports }, "flowing");
  }

  /** Milliseconds of each round trip since the last call. */
  async take(): Promise<readonly number[]> {
    return (await this.#ask({ kind: "take" }, "taken")).roundTrips;
  }

  /** Ends all traffic; says what became of it. */
  async stop(): Promise<TrafficCounts> {
    return (await this.#ask({ kind: "stop" }, "stopped")).counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  async #ask<K extends TrafficNews["kind"]>(command: TrafficCommand, answer: K) {
    const news = nextNews(this.#worker, answer);
    this.#worker.postMessage(command);
    return await news;
  }
}

function nextNews<K extends TrafficNews["kind"]>(worker: Worker, kind: K): Promise<Extract<TrafficNews, { kind: K }>> {
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("message", (news: TrafficNews) => {
      worker.off("error", reject);
      if (news.kind === kind) resolve(news as Extract<TrafficNews, { kind: K }>);
      else reject(new Error(`Can't go on: the traffic said "${news.kind}" and not "${kind}"`));
    });
  });
}
