// Reading RFC 5424 by offsets: no object and no string for a message that is only passed on.

import { BACKSLASH, CLOSE, DASH, EQUALS, isDigit, number2, OPEN, QUOTE, SPACE } from './ascii.ts'

/** End of the field of printable ASCII that starts at `at`: the place of the space behind it, or -1 when it is empty, longer than `limit`, or not printable. */
export function fieldEnd(bytes: Uint8Array, at: number, end: number, limit: number): number {
  const last = Math.min(end, at + limit + 1)
  for (let index = at; index < last; index++) {
    const byte = bytes[index]!
    if (byte === SPACE) return index > at ? index : -1
    if (byte < 0x21 || byte > 0x7e) return -1
  }
  return -1
}

/**
 * End of the STRUCTURED-DATA that starts at `at` (section 6.3), or -1 when it is malformed.
 * Inside a value a backslash before anything but `"`, `\` and `]` stands for itself.
 */
export function structuredDataEnd(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] === DASH) return at + 1
  let index = at
  while (index < end && bytes[index] === OPEN) {
    let nameBytes = 0
    for (index++; index < end; index++, nameBytes++) {
      const byte = bytes[index]!
      if (byte === SPACE || byte === CLOSE) break
      if (byte < 0x21 || byte > 0x7e || byte === EQUALS || byte === QUOTE) return -1
    }
    if (nameBytes === 0 || nameBytes > 32) return -1
    while (index < end && bytes[index] === SPACE) {
      const name = ++index
      while (
        index < end &&
        bytes[index]! > 0x20 &&
        bytes[index]! < 0x7f &&
        bytes[index] !== EQUALS &&
        bytes[index] !== QUOTE &&
        bytes[index] !== CLOSE
      )
        index++
      if (index === name || index - name > 32 || bytes[index] !== EQUALS || bytes[index + 1] !== QUOTE) return -1
      for (index += 2; index < end && bytes[index] !== QUOTE; index++) {
        if (bytes[index] === CLOSE) return -1
        if (bytes[index] === BACKSLASH && (bytes[index + 1] === QUOTE || bytes[index + 1] === BACKSLASH || bytes[index + 1] === CLOSE))
          index++
      }
      if (index >= end) return -1
      index++
    }
    if (bytes[index] !== CLOSE) return -1
    index++
  }
  return index > at && index <= end ? index : -1
}

const DIGIT_PLACES = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18] // in 2026-11-23T02:50:00

/** Whether `bytes[at..end]` is a TIMESTAMP of section 6.2.3 by its shape and ranges; NILVALUE is not. */
export function isTimestamp(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at < 20 || end - at > 32) return false
  for (const place of DIGIT_PLACES) if (!isDigit(bytes[at + place]!)) return false
  if (bytes[at + 4] !== DASH || bytes[at + 7] !== DASH || bytes[at + 10] !== 0x54 || bytes[at + 13] !== 0x3a || bytes[at + 16] !== 0x3a)
    return false
  const month = number2(bytes, at + 5)
  const day = number2(bytes, at + 8)
  if (month < 1 || month > 12 || day < 1 || day > 31) return false
  if (number2(bytes, at + 11) > 23 || number2(bytes, at + 14) > 59 || number2(bytes, at + 17) > 59) return false
  let index = at + 19
  if (bytes[index] === 0x2e) {
    const fraction = ++index
    while (index < end && isDigit(bytes[index]!)) index++
    if (index === fraction || index - fraction > 6) return false
  }
  if (bytes[index] === 0x5a) return index + 1 === end
  if (bytes[index] !== 0x2b && bytes[index] !== DASH) return false
  return (
    index + 6 === end &&
    isDigit(bytes[index + 1]!) &&
    isDigit(bytes[index + 2]!) &&
    bytes[index + 3] === 0x3a &&
    isDigit(bytes[index + 4]!) &&
    isDigit(bytes[index + 5]!) &&
    number2(bytes, index + 1) <= 23 &&
    number2(bytes, index + 4) <= 59
  )
}
