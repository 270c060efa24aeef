// How bytes of a message appear in a line of text: a line can neither forge another nor drive a terminal, and can be restored.

const HASH = 0x23
const ZERO = 0x30

/** A byte takes at most so many. */
export const ESCAPE_GROWTH = 4

/**
 * Writes `source[start..end]` to `target` at `out`, with control characters, also those of Unicode that drive a terminal, and bytes that are no UTF-8 as `#`
 * and three octal digits.
 * @param isRestorable also a `#` that would look like one of these
 * @returns the end
 */
export function escapeText(source: Uint8Array, start: number, end: number, target: Uint8Array, out: number, isRestorable: boolean): number {
  let to = out
  for (let at = start; at < end; ) {
    const byte = source[at]!
    if (byte >= 0x20 && byte < 0x7f) {
      if (isRestorable && byte === HASH && at + 3 < end && isOctal(source[at + 1]!) && isOctal(source[at + 2]!) && isOctal(source[at + 3]!))
        to = writeOctal(target, byte, to)
      else target[to++] = byte
      at++
      continue
    }
    const length = byte < 0x80 ? 0 : printableSequence(source, at, end)
    if (length === 0) to = writeOctal(target, source[at++]!, to)
    else for (const last = at + length; at < last; at++) target[to++] = source[at]!
  }
  return to
}

/** Bytes of the UTF-8 sequence at `at` when it is valid, shortest, and drives no terminal; else 0. */
export function printableSequence(memory: Uint8Array, at: number, end: number): number {
  const first = memory[at]!
  const length = first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0
  if (length === 0 || at + length > end) return 0
  let code = length === 2 ? first & 0x1f : length === 3 ? first & 0x0f : first & 0x07
  for (let index = 1; index < length; index++) {
    const next = memory[at + index]!
    if ((next & 0xc0) !== 0x80) return 0
    code = code * 64 + (next & 0x3f)
  }
  if (length === 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) return 0
  if (length === 4 && (code < 0x10000 || code > 0x10ffff)) return 0
  // C1, line and paragraph separators, bidirectional embeddings, overrides and isolates.
  if (code < 0xa0 || code === 0x2028 || code === 0x2029 || (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
    return 0
  return length
}

/** Writes the byte as `#` and three octal digits. @returns the end */
export function writeOctal(target: Uint8Array, byte: number, out: number): number {
  target[out] = HASH
  target[out + 1] = ZERO + (byte >>> 6)
  target[out + 2] = ZERO + ((byte >>> 3) & 7)
  target[out + 3] = ZERO + (byte & 7)
  return out + 4
}

function isOctal(byte: number): boolean {
  return byte >= ZERO && byte <= 0x37
}
