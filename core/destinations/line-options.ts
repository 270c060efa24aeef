// The form of a line, as the configuration writes it.

import { optionalOption, textOption } from '../base/option-kinds.ts'
import { lineFormat } from '../syslog/line-format.ts'
import type { MinutesAt } from '../syslog/moment.ts'
import { FileLines, FormattedLines, type LineMaker } from './line-maker.ts'
import { minutesAtZone } from './zones.ts'

const formatOption = optionalOption(
  textOption(
    {
      sense: 'Form of a line; default rfc3339',
      allowed: 'rfc3339, bsd, rfc5424, json, or a template with macros such as "$ISODATE $HOST $MSGHDR$MSG"',
    },
    (text) => {
      const result = lineFormat(text, () => 0)
      return result.kind === 'format' ? { value: text } : { reason: result.reason }
    },
  ),
)

const zoneOption = optionalOption(
  textOption(
    {
      sense: 'Zone in which days begin and times are written; default the one of this host',
      allowed: 'a zone such as UTC or Europe/Berlin',
    },
    (text) => {
      try {
        minutesAtZone(text)
        return { value: text }
      } catch {
        return { reason: 'no such zone' }
      }
    },
  ),
)

/** Keys that every destination has whose messages become lines. */
export const lineOptions = { format: formatOption, zone: zoneOption } as const

/** @param format that the options have checked; the usual form when left out */
export function lineMaker(format: string | undefined, minutesAt: MinutesAt): LineMaker {
  if (format === undefined) return new FileLines()
  const result = lineFormat(format, minutesAt)
  if (result.kind === 'malformed') throw new RangeError(`Cannot use the format ${format}: ${result.reason}`)
  return new FormattedLines(result.format)
}
