/**
 * One listening TCP socket, and its loop of accepting connections.
 *
 *     accept ─▶ whose? ── nobody's, parked ─▶ refuse ─▶ accept
 *                └─▶ room for a flow? ── no ─▶ wait for an end of a flow ─▶ room?
 *                         └─ yes ─▶ relay ─▶ accept
 *
 * While there is no room, one connection waits here and the others in the kernel's backlog. An accept that fails, for
 * want of file descriptors, is tried again when a flow has ended, or after a while.
 *
 * @module
 */

import type { Listener } from "../backend.ts";
import { errorText, systemErrorOf } from "../errno.ts";
import { nextSocketId } from "../socket_id.ts";
import { BACK_OFF, type Episode } from "../episode.ts";
import { closeQuietly, type TcpFlows } from "./tcp_flows.ts";

/** Whose a connection is; undefined for nobody's. */
export type Dispatch = (connection: Deno.TcpConn) => Listener | undefined;

/** A listening socket that hands its connections to whose they are. */
export class TcpSocket {
  readonly id: number = nextSocketId();
  /** Resolves after `close`, when the system has the port back: not before the pending accept has been cancelled. */
  readonly released: Promise<void>;
  readonly #listener: Deno.TcpListener;
  readonly #flows: TcpFlows;
  readonly #dispatch: Dispatch;
  readonly #failing: Episode;
  #closed = false;

  /** `failing` is told when connections can't be accepted. */
  constructor(listener: Deno.TcpListener, flows: TcpFlows, dispatch: Dispatch, failing: Episode) {
    this.#listener = listener;
    this.#flows = flows;
    this.#dispatch = dispatch;
    this.#failing = failing;
    this.released = this.#run();
  }

  /** Stops listening. Calling it twice is harmless. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    this.#flows.wake();
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      try {
        const connection = await this.#listener.accept();
        this.#failing.end();
        await this.#take(connection);
      } catch (error) {
        if (this.#closed) return;
        // The peer gave up while it waited: nobody's trouble.
        if (error instanceof Deno.errors.ConnectionAborted) continue;
        this.#failing.begin(errorText(systemErrorOf(error)));
        const timer = setTimeout(() => this.#flows.wake(), BACK_OFF);
        await this.#flows.woken();
        clearTimeout(timer);
      }
    }
  }

  async #take(connection: Deno.TcpConn): Promise<void> {
    for (;;) {
      const listener = this.#closed ? undefined : this.#dispatch(connection);
      if (listener === undefined || listener.parked) {
        closeQuietly(connection);
        return;
      }
      if (this.#flows.admits()) {
        const { route: { address, shift }, endpoint: { port } } = listener;
        this.#flows.start(connection, { hostname: address, port: port + shift });
        return;
      }
      await this.#flows.woken();
    }
  }
}
