// `date=2026-03-01 time=10:00:00 devname="FGT" ... tz="+0100"`, as Fortinet sends behind the PRI. All of it is the text; the header is read from it.

import { QUOTE, SPACE, startsWith } from './ascii.ts'
import type { StampReader } from './stamp.ts'
import { hostWordEnd } from './words.ts'

/** Ours: what stands farther behind is not looked for. */
const SEARCH_BYTES = 640
const TIME_PLACE = 16

export class KeyValueReader {
  /** The value of `devname`; empty when there is none that can be a HOSTNAME. */
  hostStart = 0
  hostEnd = 0

  /** @returns whether the text at `at` begins so; the time is then in `stamp` */
  read(bytes: Uint8Array, at: number, end: number, stamp: StampReader): boolean {
    if (!startsWith(bytes, at, end, 'date=') || !startsWith(bytes, at + TIME_PLACE - 1, end, ' time=')) return false
    const limit = Math.min(end, at + SEARCH_BYTES)
    const zone = valuePlace(bytes, at, limit, ' tz=')
    if (!stamp.readParts(bytes, at + 5, at + TIME_PLACE + 5, zone, end)) return false
    const host = valuePlace(bytes, at, limit, ' devname=')
    this.hostStart = Math.max(host, at)
    this.hostEnd = host === -1 ? this.hostStart : hostWordEnd(bytes, host, end)
    return true
  }
}

/** Place of the value of ` key=value` or ` key="value"`, or -1. */
function valuePlace(bytes: Uint8Array, at: number, end: number, key: string): number {
  for (let index = at; index + key.length < end; index++) {
    if (bytes[index] !== SPACE || !startsWith(bytes, index, end, key)) continue
    const value = index + key.length
    return bytes[value] === QUOTE ? value + 1 : value
  }
  return -1
}
