// RFC 5424 section 6.2.1: PRIVAL = facility * 8 + severity.

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
