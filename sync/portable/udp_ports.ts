/**
 * The UDP endpoints of the portable backend, each with a socket of its own.
 *
 * A datagram goes to the flow of its peer, which is begun if need be. Replies leave through the listening socket, so
 * from the address that the peer wrote to if the endpoint has one; on a wildcard the kernel chooses. While parked, a
 * listener begins no flows; the flows that there are go on. Closing it ends them: without its socket they have no way
 * back to their peers.
 *
 * @module
 */

import type { Socket } from "node:dgram";
import type { Endpoint, Listener, Route } from "../backend.ts";
import { bindFailure } from "../bind_failure.ts";
import { nextSocketId } from "../socket_id.ts";
import type { UdpFlow, UdpFlows } from "./udp_flows.ts";
import { bindSocket, closeSocket, ClosingPorts, Sender, widen } from "./udp_socket.ts";

/** The UDP ports of one backend. */
export class UdpPorts {
  readonly #flows: UdpFlows;
  readonly #listeners = new Set<PortableUdpListener>();
  readonly #closing = new ClosingPorts();

  constructor(flows: UdpFlows) {
    this.#flows = flows;
  }

  /** How many endpoints are served. */
  get count(): number {
    return this.#listeners.size;
  }

  /** As {@linkcode Backend.open}. */
  async open(endpoint: Endpoint, route: Route): Promise<Listener> {
    const socket = await this.#bind(endpoint);
    widen(socket);
    const listener = new PortableUdpListener(socket, endpoint, route, this.#flows, () => {
      this.#listeners.delete(listener);
      this.#closing.add(endpoint.port);
    });
    this.#listeners.add(listener);
    return listener;
  }

  /** As {@linkcode Backend.probe}. */
  async probe(endpoint: Endpoint): Promise<void> {
    closeSocket(await this.#bind(endpoint));
    this.#closing.add(endpoint.port);
  }

  /** Closes all; resolves when the system has the ports back. */
  async close(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    await this.#closing.settled();
  }

  async #bind(endpoint: Endpoint): Promise<Socket> {
    try {
      return await this.#closing.retry(endpoint.port, () => bindSocket(endpoint.address, endpoint.port));
    } catch (error) {
      throw bindFailure(endpoint, error);
    }
  }
}

class PortableUdpListener implements Listener {
  readonly endpoint: Endpoint;
  readonly socketId: number = nextSocketId();
  route: Route;
  parked = false;
  readonly #socket: Socket;
  readonly #sender: Sender;
  readonly #flows: UdpFlows;
  readonly #closed: () => void;
  /** By the peer's address and port. */
  readonly #peers = new Map<string, UdpFlow>();
  #open = true;

  constructor(socket: Socket, endpoint: Endpoint, route: Route, flows: UdpFlows, closed: () => void) {
    this.endpoint = endpoint;
    this.route = route;
    this.#socket = socket;
    this.#sender = new Sender(socket);
    this.#flows = flows;
    this.#closed = closed;
    socket.on("message", (data, { address, port }) => this.#flowOf(address, port)?.send(data));
    // Errors of single datagrams end here: the socket goes on.
    socket.on("error", () => {});
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSocket(this.#socket);
    for (const flow of this.#peers.values()) flow.end();
    this.#closed();
  }

  #flowOf(address: string, port: number): UdpFlow | undefined {
    const peer = `${address} ${port}`;
    const known = this.#peers.get(peer);
    if (known !== undefined || this.parked) return known;
    const target = { address: this.route.address, port: this.endpoint.port + this.route.shift };
    const flow = this.#flows.begin(
      target,
      (data) => this.#sender.send(data, port, address),
      () => this.#peers.delete(peer),
    );
    if (flow !== undefined) this.#peers.set(peer, flow);
    return flow;
  }
}
