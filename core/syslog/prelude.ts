// What devices write before and around the time: sequence numbers (`123: `), their name (`router: `), the node (`RP/0/RSP0/CPU0:`), the
// time since their start instead of a time (`00:01:23: `, `1w2d: `), a lone colon.

import { COLON, isDigit, PERCENT, SPACE } from './ascii.ts'
import type { StampReader } from './stamp.ts'
import { hostWordEnd, isMnemonic } from './words.ts'

/** More words before a time are text. */
const WORDS = 4
const SPACES = 16
const LOWER = 0x20

export class PreludeReader {
  /** The name before the time; empty when none is there. */
  hostStart = 0
  hostEnd = 0
  /** Whether a time was found; else a `%MNEMONIC` follows. */
  hasStamp = false
  /** Whether there was any of it, so that a device wrote it. */
  isDevice = false
  /** Whether a sequence number was there. */
  isNumbered = false

  /** @returns the place behind the time, or that of the mnemonic, or -1 when this begins otherwise */
  read(bytes: Uint8Array, start: number, end: number, stamp: StampReader): number {
    this.hostStart = start
    this.hostEnd = start
    this.hasStamp = false
    this.isDevice = false
    this.isNumbered = false
    let at = start
    let isSpaced = false
    for (let word = 0; word <= WORDS; word++) {
      for (let spaces = 0; spaces < SPACES && at < end && bytes[at] === SPACE; spaces++) at++
      const stampEnd = stamp.read(bytes, at, end)
      if (stampEnd !== -1 && (stampEnd === end || bytes[stampEnd] === SPACE || bytes[stampEnd] === COLON)) {
        this.hasStamp = true
        return stampEnd
      }
      if (at >= end) return -1
      if (bytes[at] === PERCENT) return this.isDevice && !isSpaced && isMnemonic(bytes, at, end) ? at : -1
      if (bytes[at] === COLON && word === 0) {
        this.isDevice = true
        at++
        continue
      }
      const uptimeEnd = skipUptime(bytes, at, end)
      if (uptimeEnd !== -1) {
        this.isDevice = true
        at = uptimeEnd
        continue
      }
      let digits = at
      while (digits < end && isDigit(bytes[digits]!)) digits++
      let wordEnd = at
      while (wordEnd < end && wordEnd - at < 64 && bytes[wordEnd]! > SPACE && bytes[wordEnd] !== COLON) wordEnd++
      if (wordEnd === at || wordEnd >= end) return -1
      const isNumber = digits === wordEnd
      if (!isNumber) {
        const hostEnd = this.#nameEnd(bytes, at, end)
        if (hostEnd === -1 || this.hostEnd > this.hostStart) {
          // The node of a modular router stands directly before the time.
          if (bytes[wordEnd] !== COLON) return -1
        } else {
          this.hostStart = at
          this.hostEnd = hostEnd
          wordEnd = hostEnd
        }
      }
      if (wordEnd >= end) return -1
      if (bytes[wordEnd] === COLON) {
        this.isDevice = true
        this.isNumbered ||= isNumber
      } else if (bytes[wordEnd] === SPACE) isSpaced = !isNumber || isSpaced
      else return -1
      at = wordEnd + 1
    }
    return -1
  }

  #nameEnd(bytes: Uint8Array, at: number, end: number): number {
    let limit = at
    while (limit < end && limit - at < 256 && bytes[limit] !== SPACE) limit++
    if (limit >= end) return -1
    // `router:` and `2001:db8::1:`, but `RP/0/RSP0/CPU0:Mar`.
    const nameEnd = bytes[limit - 1] === COLON ? limit - 1 : limit
    return hostWordEnd(bytes, at, nameEnd) === nameEnd && nameEnd > at ? nameEnd : -1
  }
}

/** Behind `00:01:23: `, `00:01:23.456: `, `1w2d: `, `3d04h: `, or -1. */
function skipUptime(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end || !isDigit(bytes[at]!)) return -1
  let index = at
  let units = 0
  let colons = 0
  for (; index < end && index - at < 24; index++) {
    const byte = bytes[index]!
    if (isDigit(byte) || (byte === 0x2e && colons === 2)) continue
    const letter = byte | LOWER
    // w, d, y, h, m, s
    if (letter === 0x77 || letter === 0x64 || letter === 0x79 || letter === 0x68 || letter === 0x6d || letter === 0x73) units++
    else if (byte === COLON && index + 1 < end && isDigit(bytes[index + 1]!)) colons++
    else break
  }
  if (index >= end || bytes[index] !== COLON || !((units > 0 && colons === 0) || (units === 0 && colons === 2))) return -1
  return index + 1
}
