/**
 * What the commands say about themselves. README.md repeats it; a test compares the two.
 *
 * @module
 */

/** The program's version; deno.json has the same one. */
export const PROGRAM_VERSION = "0.1.0";

/** Printed for `pesto --help`. */
export const HELP = `Usage:
  pesto [OPTION]... PATH          show or change the rules of the server whose control socket is PATH
  pesto serve [OPTION]... PATH    forward ports, and make a control socket at PATH

Options of pesto work in the order in which they stand:
  -t, --tcp-ports SPEC     forward TCP ports of HOST
  -u, --udp-ports SPEC     forward UDP ports of HOST
  -T, --tcp-ns SPEC        forward TCP ports of SPLICE
  -U, --udp-ns SPEC        forward UDP ports of SPLICE
  -A, --add                what follows is added to the table
  -D, --delete             what follows is deleted from the table
  -C, --clear PIF          empty the table of PIF
  -s, --show               show the tables before and after
      --json               print for programs
      --check              say what would change and whether it would work; change nothing
      --no-verify          don't look for the sockets of rules that a passt or pasta server has taken
  -d, --debug              say on standard error what is going on
  -h, --help               show this text
      --version            show the version

Without -A or -D, the first SPEC for a pif replaces its table. Without any change the tables are shown.

SPEC is [ADDRESS[%INTERFACE]/]PORTS[:TARGET], for example
  8080:80                  port 8080 goes to port 80 of the default target
  127.0.0.1/8000-8009      ten ports of one address, to the same ports of the default target
  8443:192.0.2.7/443       port 8443 goes to port 443 of 192.0.2.7
  [::1]/53:5300            an IPv6 address

A server of passt or pasta never answers. pesto then reads the table back to see if it was taken, and looks in the
kernel's list of sockets for ports of HOST that nothing listens on, if the server is in the same network namespace and
/proc shows it. Such a server can't do --check.

Exit status: 0 done; 1 refused, invalid or unreachable, nothing changed; 2 failed and rolled back; 3 rollback incomplete,
or a passt or pasta server has taken rules that have no socket; 4 stale, busy, timed out, or broken off before an answer
`;

/** Printed for `pesto serve --help`. */
export const SERVE_HELP = `Usage: pesto serve [OPTION]... PATH

Forwards ports by a table of rules, and makes a control socket at PATH, through which \`pesto\` changes them.

      --target ADDRESS     where rules without a target of their own go (127.0.0.1)
      --pif NAME=ADDRESS   one more pif, with its default target
      --passt PATH         one more control socket, for programs that speak to passt or pasta
  -t, --tcp-ports SPEC     forward TCP ports of HOST from the start
  -u, --udp-ports SPEC     forward UDP ports of HOST from the start
      --netns PATH|PID     network namespace of the targets: HOST connects inside it, and SPLICE, one more pif, listens
                           there and connects out here
  -T, --tcp-ns SPEC        forward TCP ports of SPLICE from the start
  -U, --udp-ns SPEC        forward UDP ports of SPLICE from the start
      --backend NAME       linux: the system's own sockets, the default where it works; portable: Deno's
      --concurrency MODE   optimistic: clients are served side by side, and an edit of a table that is no longer in
                           force is refused as stale, the default; exclusive: one after the other
      --state FILE         keep the committed tables in FILE, and start with them; -t, -u, -T and -U are for the first
                           start, when there is no FILE yet
      --transaction-timeout SECONDS
                           how long one client may take to update the table (60)
  -h, --help               show this text

SIGINT and SIGTERM end it: all sockets are closed and the control sockets are removed.
`;
