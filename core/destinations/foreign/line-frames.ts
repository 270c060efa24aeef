// Non-transparent framing, RFC 6587 section 3.4.2: SYSLOG-MSG LF. A message cannot hold what ends it, nor begin with what another framing begins with:
//
//   LF and NUL, anywhere    #012, #000   receivers end a message with either
//   CR at the end           #015         receivers take it for a part of the end
//   a digit at the start    #060 to #071 receivers take it for a count, and what follows for its frame
//
// As rsyslog writes control characters. A message of RFC 5424 begins with `<`; but a spool may hold what a peer of ours has made up.

import { ESCAPE_GROWTH, writeOctal } from '../../syslog/escape.ts'
import type { Frames } from './frames.ts'

const NUL = 0
const LF = 0x0a
const CR = 0x0d
const ZERO = 0x30
const NINE = 0x39

export class LineFrames implements Frames {
  readonly #onEscaped: () => void
  /** Bytes of the measured message that are escaped. */
  #escapes = 0

  constructor(onEscaped: () => void) {
    this.#onEscaped = onEscaped
  }

  measure(bytes: Buffer, start: number, end: number): number {
    let escapes = isEdge(bytes, start, start, end) ? 1 : 0
    if (end - 1 > start && isEdge(bytes, end - 1, start, end)) escapes++
    for (let at = start; at < end; at++) if (bytes[at] === LF || bytes[at] === NUL) escapes++
    this.#escapes = escapes
    return end - start + (ESCAPE_GROWTH - 1) * escapes + 1
  }

  write(into: Buffer, at: number, bytes: Buffer, start: number, end: number): number {
    let to = at
    if (this.#escapes === 0) to += bytes.copy(into, to, start, end)
    else {
      this.#onEscaped()
      for (let from = start; from < end; from++) {
        const byte = bytes[from]!
        if (byte === LF || byte === NUL || isEdge(bytes, from, start, end)) to = writeOctal(into, byte, to)
        else into[to++] = byte
      }
    }
    into[to] = LF
    return to + 1
  }
}

/** Whether the byte is one that may not stand where it stands, at the start or the end. */
function isEdge(bytes: Buffer, at: number, start: number, end: number): boolean {
  const byte = bytes[at]!
  return (at === end - 1 && byte === CR) || (at === start && byte >= ZERO && byte <= NINE)
}
