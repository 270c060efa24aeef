import type { MinutesAt } from '../syslog/moment.ts'

/** Offsets change on such a boundary or not at all. */
const QUARTER_SECONDS = 900

/** Minutes east of UTC in the zone of this process, which TZ or /etc/localtime sets. */
export const localMinutesAt: MinutesAt = (second) => -new Date(second * 1000).getTimezoneOffset()

/** The same of a named zone such as Europe/Berlin or UTC; of this process without a name. @throws {RangeError} there is no such zone */
export function minutesAtZone(name: string | undefined): MinutesAt {
  if (name === undefined) return localMinutesAt
  const format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' })
  let lastQuarter = Number.NaN
  let minutes = 0
  return (second) => {
    const quarter = Math.floor(second / QUARTER_SECONDS)
    if (quarter === lastQuarter) return minutes
    lastQuarter = quarter
    const text = format.formatToParts(new Date(second * 1000)).find((part) => part.type === 'timeZoneName')?.value ?? ''
    const match = /([+-])(\d\d):(\d\d)/.exec(text)
    minutes = match === null ? 0 : (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3]))
    return minutes
  }
}
