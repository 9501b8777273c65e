/** The kinds of listeners that a control socket may have, for tests that each must pass. */

import type { ControlListener } from "../../sync/control_listener.ts";
import { linuxAvailable, listenOnLinux } from "../../sync/linux.ts";
import { listenPortably } from "../../sync/portable/control_listener.ts";

/** One kind; `name` says why it is ignored, if it is. */
export interface ListenerKind {
  readonly name: string;
  readonly ignore: boolean;
  readonly listen: (path: string, log?: (message: string) => void) => ControlListener;
}

const linux = linuxAvailable();

export const listeners: readonly ListenerKind[] = [
  { name: "portable", ignore: false, listen: listenPortably },
  {
    name: linux.kind === "available" ? "linux" : `linux, skipped: ${linux.reason}`,
    ignore: linux.kind === "unavailable",
    listen: listenOnLinux,
  },
];
