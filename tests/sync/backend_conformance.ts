/**
 * What every socket backend must do, as a test suite. A backend's own test file calls {@linkcode backendConformance} with
 * a way of making it. Tests of what a capability bit promises are skipped where the bit isn't set, and name it.
 *
 * @module
 */

import { CAPABILITY } from "../../codec/constants.ts";
import type { Backend, BackendOptions } from "../../sync/backend.ts";
import { badDaysConformance } from "./conformance_bad_days.ts";
import { bindConformance } from "./conformance_bind.ts";
import { familyConformance } from "./conformance_families.ts";
import { loadConformance } from "./conformance_load.ts";
import { tcpConformance } from "./conformance_tcp.ts";
import { udpConformance } from "./conformance_udp.ts";

/** A backend under test. */
export interface Subject {
  readonly name: Backend["name"];
  /** Makes one; the test disposes of it. */
  make(options?: BackendOptions): Backend;
  /** Bits of {@linkcode CAPABILITY}. */
  readonly capabilities: number;
  /** Registers a test, skipped unless the capabilities named in `needs` are there and `possible` isn't false. */
  test(name: string, body: () => Promise<void>, conditions?: Conditions): void;
}

/** When a test can be run. */
export interface Conditions {
  readonly needs?: readonly (keyof typeof CAPABILITY)[];
  readonly possible?: boolean;
}

/** Registers the suite for the backends that `make` makes. */
export async function backendConformance(make: (options?: BackendOptions) => Backend): Promise<void> {
  await using sample = make();
  const { name: backend, capabilities } = sample;
  const subject: Subject = {
    name: backend,
    make,
    capabilities,
    test(name, fn, { needs = [], possible = true } = {}) {
      const ignore = !possible || needs.some((capability) => (capabilities & CAPABILITY[capability]) === 0);
      const needed = needs.length === 0 ? "" : ` (${needs.join(", ")})`;
      Deno.test({ name: `${backend}: ${name}${needed}`, ignore, fn });
    },
  };
  tcpConformance(subject);
  udpConformance(subject);
  bindConformance(subject);
  familyConformance(subject);
  loadConformance(subject);
  badDaysConformance(subject);
}
