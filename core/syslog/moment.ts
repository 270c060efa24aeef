// A moment as people read it: the TIMESTAMP of a message, or the time of receipt, on the wall clock of a zone.

import { isDigit, number2 } from './ascii.ts'
import { dayNumber, daysInMonth, yearOf } from './calendar.ts'
import { isTimestamp } from './rfc5424.ts'
import { offsetText } from './timestamp.ts'

/** Minutes east of UTC at a second since 1970 UTC. */
export type MinutesAt = (second: number) => number

export const MONTH_NAMES = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const
const WEEKDAY_NAMES = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const
const DAY_SECONDS = 86_400

/** What the clock on the wall shows at one moment after another; reckoned anew only when the second changes. */
export class Moment {
  second = 0
  micros = 0
  year = 1970
  month = 1
  day = 1
  hour = 0
  minute = 0
  secondOfMinute = 0
  weekday: string = WEEKDAY_NAMES[4]
  offsetMinutes = 0
  readonly #minutesAt: MinutesAt
  #reckoned = Number.NaN

  constructor(minutesAt: MinutesAt) {
    this.#minutesAt = minutesAt
  }

  /** @param second since 1970 UTC */
  set(second: number, micros: number): void {
    this.second = second
    this.micros = micros
    if (second === this.#reckoned) return
    this.#reckoned = second
    this.offsetMinutes = this.#minutesAt(second)
    const wall = second + this.offsetMinutes * 60
    const days = Math.floor(wall / DAY_SECONDS)
    const secondOfDay = wall - days * DAY_SECONDS
    this.year = yearOf(days)
    let day = days - dayNumber(this.year, 1, 1)
    let month = 1
    while (day >= daysInMonth(this.year, month)) day -= daysInMonth(this.year, month++)
    this.month = month
    this.day = day + 1
    this.hour = Math.floor(secondOfDay / 3600)
    this.minute = Math.floor(secondOfDay / 60) % 60
    this.secondOfMinute = secondOfDay % 60
    this.weekday = WEEKDAY_NAMES[(((days + 4) % 7) + 7) % 7]!
  }

  /** Takes the TIMESTAMP of RFC 5424 at `start..end`. @returns false when it is none (NILVALUE), and nothing has changed */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    if (!isTimestamp(bytes, start, end)) return false
    const year = number2(bytes, start) * 100 + number2(bytes, start + 2)
    const days = dayNumber(year, number2(bytes, start + 5), number2(bytes, start + 8))
    let second = days * DAY_SECONDS + number2(bytes, start + 11) * 3600 + number2(bytes, start + 14) * 60 + number2(bytes, start + 17)
    let micros = 0
    let at = start + 19
    if (bytes[at] === 0x2e) for (let place = 100_000; ++at < end && isDigit(bytes[at]!); place /= 10) micros += (bytes[at]! - 0x30) * place
    if (bytes[at] !== 0x5a) second -= (number2(bytes, at + 1) * 60 + number2(bytes, at + 4)) * (bytes[at] === 0x2d ? -60 : 60)
    this.set(second, Math.round(micros))
    return true
  }

  /** `Nov 23 02:50:00` of RFC 3164. */
  bsd(): string {
    return `${MONTH_NAMES[this.month - 1]} ${String(this.day).padStart(2)} ${two(this.hour)}:${two(this.minute)}:${two(this.secondOfMinute)}`
  }

  /** `2026-11-23T02:50:00.123456+00:00`. @param hasFraction false leaves the microseconds out */
  iso(hasFraction: boolean): string {
    const date = `${String(this.year).padStart(4, '0')}-${two(this.month)}-${two(this.day)}`
    const fraction = hasFraction ? `.${String(this.micros).padStart(6, '0')}` : ''
    return `${date}T${two(this.hour)}:${two(this.minute)}:${two(this.secondOfMinute)}${fraction}${offsetText(this.offsetMinutes)}`
  }
}

export function two(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}
