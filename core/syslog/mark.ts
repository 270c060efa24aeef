// The mark: a message that a syslogd writes to itself at intervals, so that a quiet log shows that it was alive. syslog.conf knows it as the facility `mark`,
// which no PRI can express (there are 24, and mark is the 25th), while everything here lies in the spool with a PRI. So a mark is one text and no other, as
// syslog.info (RFC 5424 has `syslog` for what a syslogd says itself, and every syslogd marks with `info`):
//
//   <46>1 TIMESTAMP HOSTNAME - - mark - -- MARK --
//
// Rules know it by these bytes and choose it by `mark` alone, never by `syslog`. Whoever is no Loghop sees a harmless line of syslog.info. A program that sends
// the same bytes gains nothing: there is no room in them for anything to say or hide, and on a local socket the kernel's word on the sender stands in them.

import { SPACE, startsWith } from './ascii.ts'
import { priOf } from './priority.ts'

export const MARK_PRI = priOf('syslog', 'info')

const HEAD = `<${MARK_PRI}>1 `
const TAIL = Buffer.from(' - - mark - -- MARK --')

/** @param timestamp of RFC 5424 */
export function markMessage(timestamp: string, hostname: string): Buffer {
  return Buffer.concat([Buffer.from(`${HEAD}${timestamp} ${hostname}`), TAIL])
}

/** Whether the message at `start..end`, which has MARK_PRI, is a mark. */
export function isMark(bytes: Uint8Array, start: number, end: number): boolean {
  const tail = end - TAIL.length
  if (tail < start) return false
  for (let index = TAIL.length - 1; index >= 0; index--) if (bytes[tail + index] !== TAIL[index]) return false
  if (!startsWith(bytes, start, tail, HEAD)) return false
  // Before the tail stand the time and the host, and nothing else.
  const timeEnd = bytes.indexOf(SPACE, start + HEAD.length)
  return timeEnd > start + HEAD.length && timeEnd < tail - 1 && bytes.indexOf(SPACE, timeEnd + 1) === tail
}
