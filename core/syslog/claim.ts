const DASH = 0x2d
const DOT = 0x2e

function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
}

/**
 * Whether the HOSTNAME at `bytes[start..end]` claims another host than the origin: neither its name nor the first labels of it, in any case, and not nothing.
 * Hot, see text-line.ts.
 * @param origin the proven name, ASCII in lower case, from `from` on
 */
export function isClaim(bytes: Uint8Array, start: number, end: number, origin: Uint8Array, from: number): boolean {
  if (end - start === 1 && bytes[start] === DASH) return false
  // A dot at the end is the root of all names.
  const length = end - start > 1 && bytes[end - 1] === DOT ? end - start - 1 : end - start
  const rest = from + length
  if (rest > origin.length || (rest < origin.length && origin[rest] !== DOT)) return true
  for (let index = 0; index < length; index++) {
    if (lowerCase(bytes[start + index]!) !== lowerCase(origin[from + index]!)) return true
  }
  return false
}
