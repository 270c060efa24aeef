// The words of syslog.conf's selectors, as each system reads them.

import { FACILITIES, SEVERITIES } from './priority.ts'

/** Whose syslog.conf: sysklogd and rsyslog, FreeBSD's syslogd, OpenBSD's syslogd. */
export const DIALECTS = ['linux', 'freebsd', 'openbsd'] as const
export type Dialect = (typeof DIALECTS)[number]

/** The internal facility of the marks that a syslogd writes at intervals; it has no code of its own in a PRI. */
export const MARK = 24
/** Every level. */
export const ALL_LEVELS = 0xff
/** What `levelOf` gives for `none`. */
export const NO_LEVEL = -1
/** What `levelOf` gives for `*`. */
export const ANY_LEVEL = 8

// RFC 5424 calls 13 "log audit" and 15 "clock daemon"; no syslogd names 15, and only FreeBSD names 13.
const FACILITY_CODES: ReadonlyMap<string, number> = new Map<string, number>([
  ...FACILITIES.map((name, code) => [name, code] as const).filter(([name]) => name !== 'security'),
  ['audit', 13],
  ['mark', MARK],
])
const LEVEL_CODES: ReadonlyMap<string, number> = new Map<string, number>([
  ...SEVERITIES.map((name, code) => [name, code] as const),
  ['panic', 0],
  ['error', 3],
  ['warn', 4],
  ['none', NO_LEVEL],
  ['*', ANY_LEVEL],
])
/** `security` is an old name of auth, but on FreeBSD a facility of its own. */
const SECURITY: Readonly<Record<Dialect, number>> = { linux: 4, freebsd: 13, openbsd: 4 }

export const FACILITY_WORDS: readonly string[] = [...FACILITY_CODES.keys(), 'security']
export const LEVEL_WORDS: readonly string[] = [...LEVEL_CODES.keys()]

/**
 * The code of a facility's name or number, MARK for `mark`, or undefined. The BSDs take numbers as the constants of <syslog.h>, eight times
 * the code; everyone else writes the code itself.
 */
export function facilityOf(word: string, dialect: Dialect): number | undefined {
  const name = word.toLowerCase()
  if (/^\d{1,3}$/.test(name)) {
    const code = dialect === 'linux' ? Number(name) : Number(name) / 8
    return Number.isInteger(code) && code < FACILITIES.length ? code : undefined
  }
  return name === 'security' ? SECURITY[dialect] : FACILITY_CODES.get(name)
}

/** 0 to 7, NO_LEVEL for `none`, ANY_LEVEL for `*`, or undefined. */
export function levelOf(word: string): number | undefined {
  return /^[0-7]$/.test(word) ? Number(word) : LEVEL_CODES.get(word.toLowerCase())
}

/** The levels as severe as this one or more, a bit each. */
export function andAbove(level: number): number {
  return (2 << level) - 1
}
