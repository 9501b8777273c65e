/**
 * A program that does nothing: what every program pays that is made in this way.
 *
 * @module
 */

export {};
