import { nearestYear } from './calendar.ts'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}

/** `+01:00`. @param minutes east of UTC */
export function offsetText(minutes: number): string {
  const absolute = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(absolute / 60))}:${two(absolute % 60)}`
}

/** `+01:00` for the local zone at that moment. */
export function localOffset(date: Date): string {
  return offsetText(-date.getTimezoneOffset())
}

/** Minutes east of UTC of the local zone. @param second since 1970 UTC */
export function localMinutes(second: number): number {
  return -new Date(second * 1000).getTimezoneOffset()
}

/** `2026-11-23T02:50:00` in the local zone: what stands before the fraction of an RFC 5424 TIMESTAMP. */
export function localSecond(date: Date): string {
  const year = String(date.getFullYear()).padStart(4, '0')
  return `${year}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** RFC 5424 TIMESTAMP of a moment in the local zone, to the microsecond. @param timeUs microseconds since 1970 UTC */
export function formatTimestamp(timeUs: number): string {
  const date = new Date(Math.floor(timeUs / 1000))
  return `${localSecond(date)}.${String(timeUs % 1_000_000).padStart(6, '0')}${localOffset(date)}`
}

/**
 * Reads the `Mmm dd hh:mm:ss` of RFC 3164, which has neither year nor zone: the year is the nearest, the zone the local one.
 * @returns seconds since 1970 UTC, or undefined when it is no such timestamp
 */
export function readRfc3164Timestamp(text: string, receivedMs: number): number | undefined {
  const match = /^([A-Z][a-z]{2}) ([ 0-3]?\d) ([0-2]\d):([0-5]\d):([0-5]\d|60)$/.exec(text)
  if (match === null) return undefined
  const month = MONTHS.indexOf(match[1]!)
  const day = Number(match[2])
  const hour = Number(match[3])
  if (month === -1 || day < 1 || day > 31 || hour > 23) return undefined
  const wall = Math.floor(receivedMs / 1000) - new Date(receivedMs).getTimezoneOffset() * 60
  const year = nearestYear(month + 1, day, hour * 3600 + Number(match[4]) * 60 + Number(match[5]), wall)
  // A leap second, which ends a month, is the first one of the next.
  return year === 0 ? undefined : Math.floor(new Date(year, month, day, hour, Number(match[4]), Number(match[5])).getTime() / 1000)
}
