/**
 * The bounds of a backend's relays: checked, completed, and with the words for when they are reached.
 *
 * @module
 */

import type { BackendOptions } from "./backend.ts";
import { Episode, Limit } from "./episode.ts";

/** The options that are numbers. */
export type RelayBounds = Required<
  Pick<BackendOptions, "maxConnections" | "maxUdpFlows" | "udpIdle" | "connectTimeout">
>;

/**
 * The bounds, those that aren't given from `defaults`.
 *
 * @throws {RangeError} if one isn't a positive number
 */
export function relayBounds(options: BackendOptions, defaults: RelayBounds): RelayBounds {
  const positive = (name: keyof RelayBounds): number => {
    const value = options[name] ?? defaults[name];
    if (value > 0) return value;
    throw new RangeError(`Can't take "${value}" as ${name}: it must be a positive number`);
  };
  return {
    maxConnections: positive("maxConnections"),
    maxUdpFlows: positive("maxUdpFlows"),
    udpIdle: positive("udpIdle"),
    connectTimeout: positive("connectTimeout"),
  };
}

/** The bound on TCP connections; reaching it is logged once each time. */
export function tcpLimit({ maxConnections: max }: RelayBounds, log: (message: string) => void): Limit {
  const full = `Can't relay more TCP connections: ${max} are open, the most allowed; new ones wait`;
  return new Limit(max, new Episode(log, full));
}

/** The bound on UDP peers; reaching it is logged once each time. */
export function udpLimit({ maxUdpFlows: max }: RelayBounds, log: (message: string) => void): Limit {
  const full = `Can't serve more UDP peers: ${max} are served, the most allowed; new ones are ignored`;
  return new Limit(max, new Episode(log, full));
}
