// The time as senders on a network write it: RFC 3164 with what devices add to it (year, fraction, zone), RFC 3339 and its relatives, and
// seconds since 1970. The reader keeps what it read, so that a message costs no object.

import { COLON, COMMA, DASH, DOT, isDigit, number2, PERCENT, PLUS, SLASH, SPACE, ZERO } from './ascii.ts'
import { dayNumber, daysInMonth, monthAt, nearestYear, yearOf } from './calendar.ts'
import { isUtcName, zoneMinutes, zoneNameEnd } from './zone.ts'

// RFC 5424 section 6.2.3.
const FRACTION_DIGITS = 6
/** `2026-11-23T02:50:00.123456+00:00` */
export const TIMESTAMP_BYTES = 32
const ASTERISK = 0x2a
const UPPER_T = 0x54
const UPPER_Z = 0x5a

export class StampReader {
  /** Told with `*`, by which Cisco marks a clock that was never set. */
  isUnset = false
  /** Told as seconds since 1970. */
  isEpoch = false
  /** Told as `yyyy-mm-dd`. */
  isIso = false
  #year = -1
  #month = 0
  #day = 0
  #hour = 0
  #minute = 0
  #second = 0
  #fraction = 0
  #fractionEnd = 0
  #zone = Number.NaN
  #offset = 0

  /**
   * Reads the stamp at `at`; what it says is known to resolve() and write() until the next one.
   * @returns the place behind it, or -1 when there is none
   */
  read(bytes: Uint8Array, at: number, end: number): number {
    this.#forget()
    // No stamp is shorter, and so no check of the end is needed for its fixed parts.
    if (end - at < 10) return -1
    let index = at
    if (bytes[index] === ASTERISK || bytes[index] === DOT) {
      this.isUnset = bytes[index] === ASTERISK
      index++
    }
    const first = bytes[index]!
    if (!isDigit(first)) {
      if (monthAt(bytes, index) === 0 && isWeekday(bytes, index)) index += bytes[index + 3] === COMMA ? 5 : 4
      return this.#monthFirst(bytes, index, end)
    }
    let digits = index + 1
    while (digits < end && digits - index <= 10 && isDigit(bytes[digits]!)) digits++
    if (digits - index >= 9) return this.#epoch(bytes, index, digits, end)
    if (digits - index !== 4) return -1
    this.#year = number2(bytes, index) * 100 + number2(bytes, index + 2)
    const separator = bytes[digits]
    if (separator === SPACE) return this.#monthFirst(bytes, digits + 1, end)
    if ((separator !== DASH && separator !== SLASH) || digits + 15 > end || bytes[digits + 3] !== separator) return -1
    if (!isDigit(bytes[digits + 1]!) || !isDigit(bytes[digits + 2]!) || !isDigit(bytes[digits + 4]!) || !isDigit(bytes[digits + 5]!))
      return -1
    const between = bytes[digits + 6]!
    if (between !== SPACE && (between | 0x20) !== 0x74) return -1
    this.#month = number2(bytes, digits + 1)
    this.#day = number2(bytes, digits + 4)
    this.isIso = true
    return this.#time(bytes, digits + 7, end)
  }

  /**
   * Reads `yyyy-mm-dd`, `hh:mm:ss` and, when `zone` is not -1, `+hhmm` where they stand apart.
   * @returns whether they are there
   */
  readParts(bytes: Uint8Array, date: number, time: number, zone: number, end: number): boolean {
    this.#forget()
    if (time + 8 > end || date + 10 > end || bytes[date + 4] !== DASH || bytes[date + 7] !== DASH) return false
    this.#year = number2(bytes, date) * 100 + number2(bytes, date + 2)
    this.#month = number2(bytes, date + 5)
    this.#day = number2(bytes, date + 8)
    if (!isYear(bytes, date, end) || this.#time(bytes, time, time + 8) !== time + 8) return false
    if (zone !== -1 && zone + 5 <= end) this.#zoneAt(bytes, zone, zone + 5)
    return true
  }

  /**
   * Settles year and zone where the stamp told none.
   * @param received seconds since 1970 UTC
   * @param minutesAt minutes east of UTC at a second since 1970
   * @returns whether there is such a day
   */
  resolve(received: number, minutesAt: (second: number) => number): boolean {
    const isTold = !Number.isNaN(this.#zone)
    let offset = isTold ? this.#zone : minutesAt(received)
    const secondOfDay = this.#hour * 3600 + this.#minute * 60 + this.#second
    if (this.#year === -1) this.#year = nearestYear(this.#month, this.#day, secondOfDay, received + offset * 60)
    if (this.#year === 0 || this.#day > daysInMonth(this.#year, this.#month)) return false
    const wall = dayNumber(this.#year, this.#month, this.#day) * 86_400 + secondOfDay
    if (!isTold) offset = minutesAt(wall - offset * 60)
    this.#offset = offset
    // RFC 5424 has no leap second; it ends its minute, and so it is the first second of the next.
    if (this.#second === 60) this.#setWall(wall)
    return this.#year <= 9999
  }

  /** Writes the TIMESTAMP of RFC 5424, at most TIMESTAMP_BYTES. @returns its end */
  write(bytes: Uint8Array, out: number): number {
    let at = writeTwo(bytes, out, Math.floor(this.#year / 100))
    at = writeTwo(bytes, at, this.#year % 100)
    bytes[at++] = DASH
    at = writeTwo(bytes, at, this.#month)
    bytes[at++] = DASH
    at = writeTwo(bytes, at, this.#day)
    bytes[at++] = UPPER_T
    at = writeTwo(bytes, at, this.#hour)
    bytes[at++] = COLON
    at = writeTwo(bytes, at, this.#minute)
    bytes[at++] = COLON
    at = writeTwo(bytes, at, this.#second)
    if (this.#fractionEnd > this.#fraction) {
      bytes[at++] = DOT
      const limit = Math.min(this.#fractionEnd, this.#fraction + FRACTION_DIGITS)
      for (let index = this.#fraction; index < limit; index++) bytes[at++] = bytes[index]!
    }
    const minutes = Math.abs(this.#offset)
    bytes[at++] = this.#offset < 0 ? DASH : PLUS
    at = writeTwo(bytes, at, Math.floor(minutes / 60))
    bytes[at++] = COLON
    return writeTwo(bytes, at, minutes % 60)
  }

  #forget(): void {
    this.isUnset = false
    this.isEpoch = false
    this.isIso = false
    this.#year = -1
    this.#fraction = 0
    this.#fractionEnd = 0
    this.#zone = Number.NaN
  }

  /** `Mar  1 10:00:00`, `Mar 1 2026 10:00:00`, and what may follow. */
  #monthFirst(bytes: Uint8Array, at: number, end: number): number {
    if (end - at < 13 || bytes[at + 3] !== SPACE) return -1
    this.#month = monthAt(bytes, at)
    if (this.#month === 0) return -1
    let index = bytes[at + 4] === SPACE ? at + 5 : at + 4
    if (!isDigit(bytes[index]!)) return -1
    this.#day = bytes[index++]! - ZERO
    if (isDigit(bytes[index]!)) this.#day = this.#day * 10 + bytes[index++]! - ZERO
    if (bytes[index] === COMMA) index++
    if (bytes[index] !== SPACE) return -1
    index++
    if (this.#year === -1 && isYear(bytes, index, end) && bytes[index + 4] === SPACE) {
      this.#year = number2(bytes, index) * 100 + number2(bytes, index + 2)
      index += 5
    }
    return this.#time(bytes, index, end)
  }

  #time(bytes: Uint8Array, at: number, end: number): number {
    let index = at
    if (index >= end || !isDigit(bytes[index]!)) return -1
    this.#hour = bytes[index++]! - ZERO
    if (index < end && isDigit(bytes[index]!)) this.#hour = this.#hour * 10 + bytes[index++]! - ZERO
    if (index + 6 > end || bytes[index] !== COLON || bytes[index + 3] !== COLON) return -1
    if (!isDigit(bytes[index + 1]!) || !isDigit(bytes[index + 2]!) || !isDigit(bytes[index + 4]!) || !isDigit(bytes[index + 5]!)) return -1
    this.#minute = number2(bytes, index + 1)
    this.#second = number2(bytes, index + 4)
    if (this.#month < 1 || this.#month > 12 || this.#day < 1 || this.#day > 31) return -1
    if (this.#hour > 23 || this.#minute > 59 || this.#second > 60) return -1
    index += 6
    if (index + 1 < end && (bytes[index] === DOT || bytes[index] === COMMA) && isDigit(bytes[index + 1]!))
      index = this.#fractionAt(bytes, index + 1, end)
    const zone = this.#yearAt(bytes, index, end)
    // date(1) writes the year behind the zone.
    return this.#yearAt(bytes, this.#zoneAt(bytes, zone, end), end)
  }

  /** ` 2026` behind the time, when no year was told before it. */
  #yearAt(bytes: Uint8Array, at: number, end: number): number {
    if (this.#year !== -1 || at + 5 > end || bytes[at] !== SPACE || !isYear(bytes, at + 1, end)) return at
    const behind = at + 5
    if (!isStampEnd(bytes, behind, end)) return at
    this.#year = number2(bytes, at + 1) * 100 + number2(bytes, at + 3)
    return behind
  }

  #fractionAt(bytes: Uint8Array, at: number, end: number): number {
    let index = at
    while (index < end && isDigit(bytes[index]!)) index++
    this.#fraction = at
    this.#fractionEnd = index
    return index
  }

  /** `Z`, `+02:00`, `+0200`, `+02`, `CET`, also behind a space. */
  #zoneAt(bytes: Uint8Array, at: number, end: number): number {
    const index = at < end && bytes[at] === SPACE ? at + 1 : at
    if (index >= end) return at
    if (bytes[index] === PLUS || bytes[index] === DASH) {
      const behind = this.#offsetAt(bytes, index, end)
      return behind === -1 ? at : behind
    }
    if (this.isIso && (bytes[index]! | 0x20) === 0x7a && index === at) {
      this.#zone = 0
      return index + 1
    }
    const nameEnd = zoneNameEnd(bytes, index, end)
    if (isUtcName(bytes, index, nameEnd) && nameEnd < end && (bytes[nameEnd] === PLUS || bytes[nameEnd] === DASH)) {
      const behind = this.#offsetAt(bytes, nameEnd, end)
      return behind === -1 ? at : behind
    }
    if (nameEnd === index || !isStampEnd(bytes, nameEnd, end)) return at
    const minutes = zoneMinutes(bytes, index, nameEnd)
    if (Number.isNaN(minutes) || !isBehindZone(bytes, nameEnd, end)) return at
    this.#zone = minutes
    return nameEnd
  }

  /** `+02:00`, `+0200`, `+02`, `+2`. @returns the place behind it, or -1 */
  #offsetAt(bytes: Uint8Array, at: number, end: number): number {
    let index = at + 1
    let hours = 0
    for (; index < end && index < at + 3 && isDigit(bytes[index]!); index++) hours = hours * 10 + bytes[index]! - ZERO
    if (index === at + 1) return -1
    let minutes = 0
    const digits = index < end && bytes[index] === COLON ? index + 1 : index
    if (digits + 2 <= end && isDigit(bytes[digits]!) && isDigit(bytes[digits + 1]!)) {
      minutes = number2(bytes, digits)
      index = digits + 2
    }
    if (hours > 23 || minutes > 59 || !isStampEnd(bytes, index, end)) return -1
    this.#zone = (hours * 60 + minutes) * (bytes[at] === DASH ? -1 : 1)
    return index
  }

  #epoch(bytes: Uint8Array, at: number, digits: number, end: number): number {
    let second = 0
    for (let index = at; index < digits; index++) second = second * 10 + bytes[index]! - ZERO
    if (digits - at > 10) return -1
    let index = digits
    if (index + 1 < end && bytes[index] === DOT && isDigit(bytes[index + 1]!)) index = this.#fractionAt(bytes, index + 1, end)
    if (index >= end || bytes[index] !== SPACE) return -1
    this.isEpoch = true
    this.#zone = 0
    this.#setWall(second)
    return index
  }

  #setWall(wall: number): void {
    const days = Math.floor(wall / 86_400)
    const secondOfDay = wall - days * 86_400
    this.#year = yearOf(days)
    let day = days - dayNumber(this.#year, 1, 1)
    let month = 1
    while (day >= daysInMonth(this.#year, month)) day -= daysInMonth(this.#year, month++)
    this.#month = month
    this.#day = day + 1
    this.#hour = Math.floor(secondOfDay / 3600)
    this.#minute = Math.floor(secondOfDay / 60) % 60
    this.#second = secondOfDay % 60
  }
}

/** `Sun ` or `Sun, `, as asctime(3) and mail have it. */
function isWeekday(bytes: Uint8Array, at: number): boolean {
  if (bytes[at + 3] !== SPACE && (bytes[at + 3] !== COMMA || bytes[at + 4] !== SPACE)) return false
  switch (((bytes[at]! | 0x20) << 16) | ((bytes[at + 1]! | 0x20) << 8) | (bytes[at + 2]! | 0x20)) {
    case 0x73756e:
    case 0x6d6f6e:
    case 0x747565:
    case 0x776564:
    case 0x746875:
    case 0x667269:
    case 0x736174:
      return true
    default:
      return false
  }
}

/** 19xx and 20xx: four other digits may be the name of a host or a part of the text. */
export function isYear(bytes: Uint8Array, at: number, end: number): boolean {
  if (at + 4 > end) return false
  const century = number2(bytes, at)
  return (
    (century === 19 || century === 20) &&
    isDigit(bytes[at]!) &&
    isDigit(bytes[at + 1]!) &&
    isDigit(bytes[at + 2]!) &&
    isDigit(bytes[at + 3]!)
  )
}

/** A host may be named like a zone: it is one when its tag follows (`CET app:`), and a zone when a host does, or a device's own message (`CET %SYS-5`). */
function isBehindZone(bytes: Uint8Array, at: number, end: number): boolean {
  if (at >= end || bytes[at] === COLON) return true
  let index = at + 1
  if (index >= end) return true
  if (bytes[index] === PERCENT || bytes[index] === COLON) return true
  while (index < end && bytes[index]! > SPACE && bytes[index] !== 0x5b) index++
  return index < end && bytes[index] === SPACE && bytes[index - 1] !== COLON && index > at + 1
}

function writeTwo(bytes: Uint8Array, at: number, value: number): number {
  const tens = Math.floor(value / 10)
  bytes[at] = ZERO + tens
  bytes[at + 1] = ZERO + value - tens * 10
  return at + 2
}

/** Whether what stands behind a plain `Mmm dd hh:mm:ss ` may belong to the stamp: a year or a zone. */
export function isStampContinued(bytes: Uint8Array, at: number, end: number): boolean {
  if (at >= end) return false
  const byte = bytes[at]!
  if (byte === PLUS || byte === DASH) return at + 2 <= end && isDigit(bytes[at + 1]!)
  if (isDigit(byte)) return isYear(bytes, at, end) && isStampEnd(bytes, at + 4, end)
  if (byte < 0x41 || byte > UPPER_Z) return false
  const nameEnd = zoneNameEnd(bytes, at, end)
  if (nameEnd === at) return false
  if (nameEnd < end && (bytes[nameEnd] === PLUS || bytes[nameEnd] === DASH)) return isUtcName(bytes, at, nameEnd)
  return isStampEnd(bytes, nameEnd, end) && !Number.isNaN(zoneMinutes(bytes, at, nameEnd))
}

/** Behind a stamp stand the end, a space, or a colon with one of these. (`2001:db8::1` begins with no year.) */
function isStampEnd(bytes: Uint8Array, at: number, end: number): boolean {
  if (at >= end || bytes[at] === SPACE) return true
  return bytes[at] === COLON && (at + 1 >= end || bytes[at + 1] === SPACE)
}
