// The Gregorian calendar in whole numbers: no object for a time that is only rewritten.

const DAYS_BEFORE = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const DAY_SECONDS = 86_400

function isLeap(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
}

/** @param month from 1 */
export function daysInMonth(year: number, month: number): number {
  return month === 2 && isLeap(year) ? 29 : MONTH_DAYS[month - 1]!
}

/** Days from 1970-01-01 to the date, before it negative. @param month from 1 */
export function dayNumber(year: number, month: number, day: number): number {
  const past = year - 1
  const leapDays = Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400) - 477
  return (year - 1970) * 365 + leapDays + DAYS_BEFORE[month - 1]! + (month > 2 && isLeap(year) ? 1 : 0) + day - 1
}

/** The year in which the day lies. */
export function yearOf(dayNumberOf1970: number): number {
  let year = 1970 + Math.floor(dayNumberOf1970 / 365.2425)
  if (dayNumber(year + 1, 1, 1) <= dayNumberOf1970) year++
  else if (dayNumber(year, 1, 1) > dayNumberOf1970) year--
  return year
}

/** The month, from 1, whose English name of three letters (`Mar`; also `MAR` and `mar`) stands at `at`, or 0. */
export function monthAt(bytes: Uint8Array, at: number): number {
  switch (((bytes[at]! | 0x20) << 16) | ((bytes[at + 1]! | 0x20) << 8) | (bytes[at + 2]! | 0x20)) {
    case 0x6a616e:
      return 1
    case 0x666562:
      return 2
    case 0x6d6172:
      return 3
    case 0x617072:
      return 4
    case 0x6d6179:
      return 5
    case 0x6a756e:
      return 6
    case 0x6a756c:
      return 7
    case 0x617567:
      return 8
    case 0x736570:
      return 9
    case 0x6f6374:
      return 10
    case 0x6e6f76:
      return 11
    case 0x646563:
      return 12
    default:
      return 0
  }
}

/**
 * The year of a date that was told without one: of the years around the receipt the one that puts it nearest to it, so that a line of
 * 31 December that comes on 1 January stays in the old year.
 * @param month from 1
 * @param secondOfDay of the wall clock that the date was read from
 * @param receivedWall seconds since 1970 of receipt, by the same wall clock
 * @returns 0 when the date is in none of these years (29 February)
 */
export function nearestYear(month: number, day: number, secondOfDay: number, receivedWall: number): number {
  const year = yearOf(Math.floor(receivedWall / DAY_SECONDS))
  let nearest = 0
  let distance = Number.POSITIVE_INFINITY
  for (let candidate = year - 1; candidate <= year + 1; candidate++) {
    if (day > daysInMonth(candidate, month)) continue
    const away = Math.abs(dayNumber(candidate, month, day) * DAY_SECONDS + secondOfDay - receivedWall)
    if (away < distance) {
      nearest = candidate
      distance = away
    }
  }
  return nearest
}
