/**
 * Reading files of the kernel's, whose text is made while they are read: in pieces, and no further than is wanted.
 *
 * @module
 */

/** Bytes per read: more than the kernel hands out at once. */
export const PIECE = 65536;

/**
 * The text of a file, up to where `enough` says so of the text so far, if anywhere.
 *
 * @param read reads the next bytes to the beginning of the array; resolves to how many, 0 at the end
 */
export async function readPieces(
  read: (into: Uint8Array<ArrayBuffer>) => Promise<number>,
  enough: (text: string) => boolean,
): Promise<string> {
  const into = new Uint8Array(new ArrayBuffer(PIECE));
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const length = await read(into);
    text += decoder.decode(into.subarray(0, length), { stream: true });
    if (length === 0 || enough(text)) return text;
  }
}
