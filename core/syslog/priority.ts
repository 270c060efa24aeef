// RFC 5424 section 6.2.1: PRIVAL = facility * 8 + severity.

import { GREATER, LESS, ZERO } from './ascii.ts'

export const PRI_LIMIT = 191
/** user.notice: what RFC 3164 section 4.3.3 gives a packet without PRI. */
export const PRI_DEFAULT = 13

export const FACILITIES = [
  'kern',
  'user',
  'mail',
  'daemon',
  'auth',
  'syslog',
  'lpr',
  'news',
  'uucp',
  'cron',
  'authpriv',
  'ftp',
  'ntp',
  'security',
  'console',
  'clock',
  'local0',
  'local1',
  'local2',
  'local3',
  'local4',
  'local5',
  'local6',
  'local7',
] as const

export const SEVERITIES = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'] as const
export type Facility = (typeof FACILITIES)[number]
export type Severity = (typeof SEVERITIES)[number]

export function priOf(facility: Facility, severity: Severity): number {
  return FACILITIES.indexOf(facility) * 8 + SEVERITIES.indexOf(severity)
}

/**
 * Reads the `<PRI>` at `start`: one to three digits, leading zeros too, at most 191.
 * @returns the value times 8, plus the bytes that it takes; -1 when it is none. (Two numbers in one: hot, and an object would be one more.)
 */
export function readPri(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < 3 || bytes[start] !== LESS) return -1
  let value = bytes[start + 1]! - ZERO
  if (value < 0 || value > 9) return -1
  let at = start + 2
  for (; at < end && at < start + 5 && bytes[at] !== GREATER; at++) {
    const digit = bytes[at]! - ZERO
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  if (at >= end || at >= start + 5 || value > PRI_LIMIT) return -1
  return value * 8 + at + 1 - start
}
