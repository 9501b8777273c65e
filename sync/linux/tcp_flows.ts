/**
 * The TCP connections that the Linux backend relays, and the bounds that they keep to.
 *
 * Theory of operation. A connection is accepted only when there is room for its flow and a socket to connect it with; until
 * then it waits in the kernel's backlog. The listener that had to stop is remembered, and is given a turn when a flow
 * has ended, or after a while if descriptors were lacking, which others may have given back.
 *
 * All flows may take the same time to be connected, so the set of those that are being connected is in the order of their
 * deadlines, and one timer, for the first of them, serves all. It is left to run when that one is connected: once in a
 * connect time-out it finds nothing to do.
 *
 * Invariants: a flow is in `#flows` from `start` to its end, and in `#connecting` until it is connected or ended.
 *
 * @module
 */

import { errorText, systemErrorOfNumber } from "../errno.ts";
import { BACK_OFF, type Episode, type Limit } from "../episode.ts";
import { CopyBuffer } from "./copy_buffer.ts";
import type { DescriptorBudget } from "./descriptors.ts";
import { C, ERRNO, type Libc } from "./libc.ts";
import type { Namespace } from "./namespaces.ts";
import type { Pipes } from "./pipes.ts";
import type { Reactor, Source } from "./reactor.ts";
import type { SocketAddress } from "./socket_address.ts";
import { makeSocket, tuneConnection } from "./sockets.ts";
import { type Relay, TcpFlow } from "./tcp_flow.ts";

/** Descriptors of a flow. */
const FLOW_DESCRIPTORS = 2;
/** Sockets made at once where that takes a visit to a namespace, which costs as much as making them. */
const SOCKETS_PER_VISIT = 16;

/** What the flows need from their backend. */
export interface TcpFlowsParts {
  readonly libc: Libc;
  readonly reactor: Reactor;
  readonly pipes: Pipes;
  readonly budget: DescriptorBudget;
  readonly limit: Limit;
  /** Told when connections can't be accepted for want of descriptors or memory. */
  readonly failing: Episode;
  /** Milliseconds. */
  readonly connectTimeout: number;
  /** Where targets are connected to. */
  readonly namespace: Namespace | undefined;
}

/** All TCP connections of one backend. */
export class TcpFlows implements Relay {
  readonly libc: Libc;
  readonly reactor: Reactor;
  readonly buffer: CopyBuffer;
  readonly pipes: Pipes;
  readonly #parts: TcpFlowsParts;
  readonly #flows = new Set<TcpFlow>();
  readonly #connecting = new Set<TcpFlow>();
  /** Sockets that are ready to be connected, by address family. */
  readonly #sockets: Readonly<Record<number, number[]>> = { [C.AF_INET]: [], [C.AF_INET6]: [] };
  /** How many flows there were when accepting failed last. */
  #failedAt = 0;
  #stopped = new Set<Source>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: TcpFlowsParts) {
    this.#parts = parts;
    this.libc = parts.libc;
    this.reactor = parts.reactor;
    this.pipes = parts.pipes;
    this.buffer = new CopyBuffer(parts.libc);
  }

  /** How many are being connected or relayed. */
  get count(): number {
    return this.#flows.size;
  }

  /**
   * A socket to connect a further flow with; undefined if there may be none now, and then `listener` gets a turn when
   * that may have changed.
   */
  socketFor(listener: Source, family: number): number | undefined {
    const { limit, budget } = this.#parts;
    if (!limit.admits(this.#flows.size)) {
      this.#stopped.add(listener);
      return undefined;
    }
    const sockets = this.#sockets[family] ?? [];
    if (!budget.admits(FLOW_DESCRIPTORS)) {
      this.#fail(`${budget.max} file descriptors are in use, the most allowed`);
      this.#stopped.add(listener);
      return undefined;
    }
    return sockets.pop() ?? this.#made(listener, family, sockets);
  }

  /** Takes back a socket that wasn't needed. */
  giveBack(socket: number, family: number): void {
    this.#sockets[family]?.push(socket);
  }

  /** Accepting failed for want of descriptors or memory; `listener` gets a turn after a while. */
  backOff(listener: Source, errno: number): void {
    this.#fail(errorText(systemErrorOfNumber(errno)));
    this.#stopped.add(listener);
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.#resume();
    }, BACK_OFF);
  }

  /** Forgets a listener that is closed. */
  forget(listener: Source): void {
    this.#stopped.delete(listener);
  }

  /** Relays an accepted connection; `socket` is one of {@linkcode socketFor}. */
  start(client: number, socket: number, target: SocketAddress): void {
    const { libc, reactor, budget, connectTimeout } = this.#parts;
    budget.use(FLOW_DESCRIPTORS);
    const flow = new TcpFlow(this, client, socket, reactor.now + connectTimeout);
    this.#flows.add(flow);
    const { bytes } = target;
    if (libc.call.connect(socket, bytes, bytes.length) < 0 && libc.errno !== ERRNO.EINPROGRESS) {
      flow.end("broken");
      return;
    }
    this.#connecting.add(flow);
    this.#timer ??= setTimeout(() => this.#giveUp(), connectTimeout);
    flow.watch();
  }

  connected(flow: TcpFlow): void {
    this.#connecting.delete(flow);
  }

  ended(flow: TcpFlow): void {
    const { budget, limit, failing } = this.#parts;
    this.#connecting.delete(flow);
    this.#flows.delete(flow);
    budget.use(-FLOW_DESCRIPTORS);
    limit.left(this.#flows.size);
    // Over only at half of it, as Limit does, or every flow that comes and goes would be worth a message.
    if (this.#flows.size <= this.#failedAt / 2) failing.end();
    this.#resume();
  }

  /** Ends all flows. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#retry);
    this.#stopped.clear();
    for (const flow of this.#flows) flow.end("closed");
    for (const sockets of Object.values(this.#sockets)) {
      for (const socket of sockets.splice(0)) this.libc.call.close(socket);
    }
  }

  #made(listener: Source, family: number, sockets: number[]): number | undefined {
    const { libc, namespace } = this.#parts;
    const make = () => makeSocket(libc, family, "tcp");
    const first = namespace === undefined ? make() : namespace.within(() => {
      for (let count = 1; count < SOCKETS_PER_VISIT; count++) {
        const socket = make();
        if (socket < 0) break;
        tuneConnection(libc, socket);
        sockets.push(socket);
      }
      return sockets.pop() ?? make();
    }, ({ errno }) => -errno);
    if (first < 0) {
      this.backOff(listener, -first);
      return undefined;
    }
    tuneConnection(libc, first);
    return first;
  }

  #fail(reason: string): void {
    this.#parts.failing.begin(reason);
    this.#failedAt = this.#flows.size;
  }

  #resume(): void {
    if (this.#stopped.size === 0) return;
    for (const listener of this.#stopped) this.reactor.again(listener);
    this.#stopped.clear();
  }

  #giveUp(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const flow of this.#connecting) {
      if (flow.deadline > now) {
        this.#timer = setTimeout(() => this.#giveUp(), flow.deadline - now);
        return;
      }
      flow.end("broken");
    }
  }
}
