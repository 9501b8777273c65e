/**
 * What the commands say about themselves. README.md repeats it; a test compares the two.
 *
 * @module
 */

import {
  COMMANDS,
  COMPLETIONS_OPTIONS,
  optionLines,
  SERVE_OPTIONS,
  SETTLE_OPTIONS,
  UPDATE_OPTIONS,
} from "./options.ts";

/** The program's version; deno.json has the same one. */
export const PROGRAM_VERSION = "0.1.0";

const USAGE = [
  { synopsis: "pesto [OPTION]... PATH", help: "show or change the rules of the server whose control socket is PATH" },
  ...COMMANDS.map(({ name, operands, help }) => ({ synopsis: `pesto ${name} ${operands}`, help })),
].map(({ synopsis, help }) => `  ${synopsis.padEnd(34)}${help}`).join("\n");

/** Printed for `pesto --help`. */
export const HELP = `Usage:
${USAGE}

Options of pesto work in the order in which they stand:
${optionLines(UPDATE_OPTIONS)}

Without -A or -D, the first SPEC for a pif replaces its table. Without any change the tables are shown.

SPEC is [ADDRESS[%INTERFACE]/]PORTS[:TARGET], for example
  8080:80                  port 8080 goes to port 80 of the default target
  127.0.0.1/8000-8009      ten ports of one address, to the same ports of the default target
  8443:192.0.2.7/443       port 8443 goes to port 443 of 192.0.2.7
  [::1]/53:5300            an IPv6 address

If another client changes the table meanwhile, -A and -D are done again on the new one, a few times at most. A whole table
never takes the place of one that wasn't looked at: that is stale.

A server of passt or pasta never answers. pesto then reads the table back to see if it was taken, and looks in the
kernel's list of sockets for ports of HOST that nothing listens on, if the server is in the same network namespace and
/proc shows it. Such a server can do neither --check nor --confirm.

Exit status: 0 done; 1 refused, invalid or unreachable, nothing changed; 2 failed and rolled back, or not confirmed and
rolled back; 3 rollback incomplete, or a passt or pasta server has taken rules that have no socket; 4 stale, busy, timed
out, or broken off before an answer
`;

/** Printed for `pesto confirm --help` and `pesto rollback --help`. */
export const SETTLE_HELP = `Usage:
  pesto confirm [OPTION]... PATH     keep the table that another pesto --confirm has applied and holds
  pesto rollback [OPTION]... PATH    bring the old table back instead

${optionLines(SETTLE_OPTIONS)}

Exit status: 0 done; 1 no table waits there, or the server is unreachable; 3 rollback incomplete; 4 broken off
`;

/** Printed for `pesto completions --help`. */
export const COMPLETIONS_HELP = `Usage:
  source <(pesto completions bash)
  source <(pesto completions zsh)     after compinit, or put it as _pesto into a folder of $fpath
  pesto completions fish | source

${optionLines(COMPLETIONS_OPTIONS)}
`;

/** Printed for `pesto serve --help`. */
export const SERVE_HELP = `Usage: pesto serve [OPTION]... PATH

Forwards ports by a table of rules, and makes a control socket at PATH, through which \`pesto\` changes them.

${optionLines(SERVE_OPTIONS)}

SIGINT and SIGTERM end it: all sockets are closed and the control sockets are removed. A supervisor that has set
NOTIFY_SOCKET is told when all sockets stand, and when they are about to be closed.
`;
