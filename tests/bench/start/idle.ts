/**
 * A program that does nothing and goes on: what every server pays that is made in this way.
 *
 * @module
 */

setInterval(() => {}, 3_600_000);
