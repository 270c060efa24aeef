import test from 'ava'
import { formatTimestamp, readRfc3164Timestamp } from '../../../core/syslog/timestamp.ts'

/** Node reads TZ anew when it is assigned. */
function inZone<T>(zone: string, use: () => T): T {
  const before = process.env['TZ']
  process.env['TZ'] = zone
  try {
    return use()
  } finally {
    if (before === undefined) delete process.env['TZ']
    else process.env['TZ'] = before
  }
}

// Stamp, moment of receipt, what it means; all in the zone.
const TABLE: ReadonlyArray<readonly [zone: string, stamp: string, received: string, meant: string | undefined]> = [
  ['UTC', 'Dec 31 23:59:58', '2027-01-01T00:00:03Z', '2026-12-31T23:59:58Z'],
  ['UTC', 'Jan  1 00:00:03', '2026-12-31T23:59:58Z', '2027-01-01T00:00:03Z'],
  ['UTC', 'Jan  1 00:00:03', '2027-01-01T00:00:03Z', '2027-01-01T00:00:03Z'],
  ['UTC', 'Jun 15 00:00:00', '2027-01-01T00:00:00Z', '2027-06-15T00:00:00Z'],
  ['UTC', 'Jul 15 00:00:00', '2027-01-01T00:00:00Z', '2026-07-15T00:00:00Z'],
  ['UTC', 'Feb 29 12:00:00', '2028-03-01T00:00:00Z', '2028-02-29T12:00:00Z'],
  ['UTC', 'Feb 29 12:00:00', '2029-01-10T00:00:00Z', '2028-02-29T12:00:00Z'],
  ['UTC', 'Feb 29 12:00:00', '2027-12-31T00:00:00Z', '2028-02-29T12:00:00Z'],
  ['UTC', 'Feb 29 12:00:00', '2026-06-01T00:00:00Z', undefined],
  ['UTC', 'Jun 30 23:59:60', '2026-07-01T00:00:00Z', '2026-07-01T00:00:00Z'],
  ['UTC', 'Dec 31 23:59:60', '2027-01-01T00:00:00Z', '2027-01-01T00:00:00Z'],
  ['Europe/Berlin', 'Jan  1 00:59:00', '2027-01-01T00:00:00Z', '2026-12-31T23:59:00Z'],
  ['Europe/Berlin', 'Dec 31 23:59:00', '2026-12-31T23:30:00Z', '2026-12-31T22:59:00Z'],
  ['Europe/Berlin', 'Jul  1 12:00:00', '2026-07-01T10:00:01Z', '2026-07-01T10:00:00Z'],
  ['America/New_York', 'Dec 31 23:00:00', '2027-01-01T04:00:01Z', '2027-01-01T04:00:00Z'],
  ['Asia/Kathmandu', 'Jan  1 05:45:00', '2027-01-01T00:00:01Z', '2027-01-01T00:00:00Z'],
  ['Pacific/Kiritimati', 'Jan  1 00:00:00', '2026-12-31T10:00:01Z', '2026-12-31T10:00:00Z'],
  ['Pacific/Pago_Pago', 'Dec 31 23:59:59', '2027-01-01T11:00:00Z', '2027-01-01T10:59:59Z'],
]

for (const [zone, stamp, received, meant] of TABLE)
  test(`in ${zone} "${stamp.replaceAll(' ', '_')}" that comes at ${received} means ${meant}`, (t) => {
    const seconds = inZone(zone, () => readRfc3164Timestamp(stamp, Date.parse(received)))
    t.is(seconds, meant === undefined ? undefined : Date.parse(meant) / 1000)
  })

test('what is no such timestamp is none', (t) => {
  for (const stamp of [
    '',
    'nov 23 02:50:00',
    'Nov 00 02:50:00',
    'Nov 32 02:50:00',
    'Nov 23 24:00:00',
    'Nov 23 02:60:00',
    'Nov 23 02:50:61',
    'Nov 23 2:50:00',
    'Nov 23 02:50',
    'Apr 31 00:00:00',
    'Nov 23 02:50:00 ',
  ])
    t.is(readRfc3164Timestamp(stamp, Date.parse('2026-11-23T02:50:00Z')), undefined, stamp)
})

test('the zone of a line is that of its moment', (t) => {
  const at = (zone: string, time: string): string => inZone(zone, () => formatTimestamp(Date.parse(time) * 1000))
  t.is(at('Europe/Berlin', '2026-01-01T00:00:00Z'), '2026-01-01T01:00:00.000000+01:00')
  t.is(at('Europe/Berlin', '2026-07-01T00:00:00Z'), '2026-07-01T02:00:00.000000+02:00')
  t.is(at('America/St_Johns', '2026-01-01T00:00:00Z'), '2025-12-31T20:30:00.000000-03:30')
  t.is(at('Asia/Kathmandu', '2026-01-01T00:00:00Z'), '2026-01-01T05:45:00.000000+05:45')
})
