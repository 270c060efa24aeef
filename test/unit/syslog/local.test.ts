// Local messages completed to RFC 5424. This process runs in UTC; other zones are tried by timestamp.test.ts.

import test from 'ava'
import fc from 'fast-check'
import { fieldEnd, isTimestamp, structuredDataEnd } from '../../../core/syslog/rfc5424.ts'
import { formatTimestamp } from '../../../core/syslog/timestamp.ts'
import { Completer } from '../../support/completed.ts'

process.env['TZ'] = 'UTC'

const HOST = 'web01.example.com'
// 2026-11-23T02:50:00.123456Z
const NOW_US = Date.UTC(2026, 10, 23, 2, 50) * 1000 + 123456
const NOW = '2026-11-23T02:50:00.123456+00:00'
const SENDER = '[sender@32473 pid="42" uid="1000"]'

function complete(input: string | Buffer, pid = 42, uid = 1000): { text: string; unparsed: number } {
  const completer = new Completer(HOST)
  const text = completer.complete(Buffer.from(input as string), NOW_US, pid, uid).toString()
  return { text, unparsed: completer.takeUnparsed() }
}

const HEAD = `${NOW} ${HOST}`

const TABLE: ReadonlyArray<readonly [input: string, output: string, unparsed?: number]> = [
  // glibc's syslog(3) and logger(1).
  ['<13>Nov 23 02:50:00 app: text', `<13>1 ${HEAD} app 42 - ${SENDER} text`],
  ['<13>Nov 23 02:50:00 app[42]: text', `<13>1 ${HEAD} app 42 - ${SENDER} text`],
  ['<13>Nov 23 02:49:59 app: a second ago is now', `<13>1 ${HEAD} app 42 - ${SENDER} a second ago is now`],
  ['<13>Nov 23 02:00:00 app: older', `<13>1 2026-11-23T02:00:00+00:00 ${HOST} app 42 - ${SENDER} older`],
  ['<13>Nov  3 02:00:00 app: one digit', `<13>1 2026-11-03T02:00:00+00:00 ${HOST} app 42 - ${SENDER} one digit`],
  ['<13>Dec 31 23:59:59 app: last year', `<13>1 2026-12-31T23:59:59+00:00 ${HOST} app 42 - ${SENDER} last year`],
  ['<0>app: no time', `<0>1 ${HEAD} app 42 - ${SENDER} no time`],
  ['<191>app: highest', `<191>1 ${HEAD} app 42 - ${SENDER} highest`],
  ['<13>app[7]: claims another', `<13>1 ${HEAD} app 42 - [sender@32473 pid="42" uid="1000" claimedPid="7"] claims another`],
  ['<13>app[a"b]: quoted claim', `<13>1 ${HEAD} app 42 - [sender@32473 pid="42" uid="1000" claimedPid="a\\"b"] quoted claim`],
  ['<13>app[42] text', `<13>1 ${HEAD} app 42 - ${SENDER} text`],
  ['<13>app:', `<13>1 ${HEAD} app 42 - ${SENDER} `],
  ['<13>Nov 23 02:50:00 web01 app: own short name', `<13>1 ${HEAD} app 42 - ${SENDER} own short name`],
  ['<13>Nov 23 02:50:00 web01.example.com app: own name', `<13>1 ${HEAD} app 42 - ${SENDER} own name`],
  ['<13>Nov 23 02:50:00 web02 app: another name', `<13>1 ${HEAD} - 42 - ${SENDER} web02 app: another name`],
  // What has no tag is kept whole.
  ['<13>hello world', `<13>1 ${HEAD} - 42 - ${SENDER} hello world`],
  ['<13>http://x/', `<13>1 ${HEAD} - 42 - ${SENDER} http://x/`],
  ['<13>: x', `<13>1 ${HEAD} - 42 - ${SENDER} : x`],
  ['<13>', `<13>1 ${HEAD} - 42 - ${SENDER} `],
  [`<13>${'a'.repeat(48)}: x`, `<13>1 ${HEAD} ${'a'.repeat(48)} 42 - ${SENDER} x`],
  [`<13>${'a'.repeat(49)}: x`, `<13>1 ${HEAD} - 42 - ${SENDER} ${'a'.repeat(49)}: x`],
  ['<13>app[]: x', `<13>1 ${HEAD} - 42 - ${SENDER} app[]: x`],
  ['<13>app[1: x', `<13>1 ${HEAD} - 42 - ${SENDER} app[1: x`],
  ['<13>app[1]x: y', `<13>1 ${HEAD} - 42 - ${SENDER} app[1]x: y`],
  // Trailing NUL and LF are the sender's framing.
  ['<13>app: text\n', `<13>1 ${HEAD} app 42 - ${SENDER} text`],
  ['<13>app: text\0', `<13>1 ${HEAD} app 42 - ${SENDER} text`],
  ['<13>app: text\n\0\n', `<13>1 ${HEAD} app 42 - ${SENDER} text`],
  ['<13>app: in\nside\0kept', `<13>1 ${HEAD} app 42 - ${SENDER} in\nside\0kept`],
  // No PRI that counts.
  ['', `<13>1 ${HEAD} - 42 - ${SENDER} `, 1],
  ['text', `<13>1 ${HEAD} - 42 - ${SENDER} text`, 1],
  ['<192>app: x', `<13>1 ${HEAD} - 42 - ${SENDER} <192>app: x`, 1],
  ['<999>app: x', `<13>1 ${HEAD} - 42 - ${SENDER} <999>app: x`, 1],
  ['<-1>app: x', `<13>1 ${HEAD} - 42 - ${SENDER} <-1>app: x`, 1],
  ['<>app: x', `<13>1 ${HEAD} - 42 - ${SENDER} <>app: x`, 1],
  ['<1', `<13>1 ${HEAD} - 42 - ${SENDER} <1`, 1],
  ['<1234>x', `<13>1 ${HEAD} - 42 - ${SENDER} <1234>x`, 1],
  // RFC 3164 section 5.4, and a time that is none.
  ["<34>Oct 11 22:14:15 web01 su: 'su root' failed", `<34>1 2026-10-11T22:14:15+00:00 ${HOST} su 42 - ${SENDER} 'su root' failed`],
  ['<13>Feb 30 00:00:00 app: x', `<13>1 ${HEAD} - 42 - ${SENDER} Feb 30 00:00:00 app: x`],
  ['<13>Foo 11 22:14:15 app: x', `<13>1 ${HEAD} - 42 - ${SENDER} Foo 11 22:14:15 app: x`],
  // RFC 5424 section 6.5, as newer libraries send it.
  [
    "<34>1 2003-10-11T22:14:15.003Z web01 su - ID47 - \ufeff'su root' failed",
    `<34>1 2003-10-11T22:14:15.003Z ${HOST} su 42 ID47 ${SENDER} \ufeff'su root' failed`,
  ],
  [
    '<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It',
    `<165>1 2003-08-24T05:14:15.000003-07:00 ${HOST} myproc 42 - [sender@32473 pid="42" uid="1000" claimedPid="8710" claimedHost="192.0.2.1"] %% It`,
  ],
  [
    '<165>1 2003-10-11T22:14:15.003Z web01 evntslog - ID47 [exampleSDID@32473 iut="3" eventID="1011"][b] text',
    `<165>1 2003-10-11T22:14:15.003Z ${HOST} evntslog 42 ID47 ${SENDER}[exampleSDID@32473 iut="3" eventID="1011"][b] text`,
  ],
  ['<13>1 - - - - - -', `<13>1 ${HEAD} - 42 - ${SENDER}`],
  ['<13>1 - web02] app - - - x', `<13>1 ${HEAD} app 42 - [sender@32473 pid="42" uid="1000" claimedHost="web02\\]"] x`],
  // Near misses of it are kept whole behind the PRI.
  ['<13>1 2003-13-11T22:14:15Z h a p m - x', `<13>1 ${HEAD} - 42 - ${SENDER} 1 2003-13-11T22:14:15Z h a p m - x`, 1],
  ['<13>1 - h a p m [x', `<13>1 ${HEAD} - 42 - ${SENDER} 1 - h a p m [x`, 1],
  ['<13>1 - h a p m', `<13>1 ${HEAD} - 42 - ${SENDER} 1 - h a p m`, 1],
  [`<13>1 - ${'h'.repeat(256)} a p m - x`, `<13>1 ${HEAD} - 42 - ${SENDER} 1 - ${'h'.repeat(256)} a p m - x`, 1],
]

for (const [index, [input, output, unparsed = 0]] of TABLE.entries())
  test(`${index}: ${JSON.stringify(input).slice(0, 70)}`, (t) => {
    t.deepEqual(complete(input), { text: output, unparsed })
  })

test('a sender whose pid is not known keeps the one it claims, and one without credentials has no element', (t) => {
  t.is(complete('<13>app[7]: x', 0, 1000).text, `<13>1 ${HEAD} app 7 - [sender@32473 uid="1000"] x`)
  t.is(complete('<13>app[7]: x', 0, -1).text, `<13>1 ${HEAD} app 7 - - x`)
  t.is(complete('<13>app: x', 0, -1).text, `<13>1 ${HEAD} app - - - x`)
  t.is(complete('<13>1 - - app 7 - - x', 0, -1).text, `<13>1 ${HEAD} app 7 - - x`)
  t.is(complete('<13>1 - - app 7 - [a] x', 0, -1).text, `<13>1 ${HEAD} app 7 - [a] x`)
})

test('one completer gives for many messages what a new one gives for each', (t) => {
  const completer = new Completer(HOST)
  const times = [0, 0, 1, 3_599, 3_600, 86_400, -1, -7_200]
  for (let round = 0; round < 3; round++) {
    for (const [index, [input]] of TABLE.entries()) {
      const timeUs = NOW_US + times[(index + round) % times.length]! * 1_000_000
      const [pid, uid] = [(index * 7919) % 600, (index * 31) % 5]
      const once = new Completer(HOST).complete(Buffer.from(input), timeUs, pid, uid)
      t.deepEqual(completer.complete(Buffer.from(input), timeUs, pid, uid), once)
    }
  }
})

test('the same stamp means another year when it comes a year later', (t) => {
  const completer = new Completer(HOST)
  const input = Buffer.from('<13>Nov 23 02:00:00 app: x')
  const year = 365 * 86_400 * 1_000_000
  t.regex(completer.complete(input, NOW_US, 42, 0).toString(), /^<13>1 2026-11-23T02:00:00\+00:00 /)
  t.regex(completer.complete(input, NOW_US + year, 42, 0).toString(), /^<13>1 2027-11-23T02:00:00\+00:00 /)
})

const anyInput = fc.oneof(
  fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
  fc
    .tuple(
      fc.constantFrom('<13>', '<191>', '<1', '', '<13>1 ', '<13>Nov 23 02:50:00 ', '<13>1 2003-10-11T22:14:15Z '),
      fc.array(
        fc.constantFrom('web01 ', 'a', '[', ']', '"', '\\', ': ', ' ', '-', ' - - - ', '=', 'x'.repeat(128), '[a b="c"]', '\n', '\0'),
        { maxLength: 20 },
      ),
    )
    .map(([head, parts]) => Buffer.from(head + parts.join(''))),
)

test('whatever comes, a message of RFC 5424 goes out, and the text in it is what came', (t) => {
  fc.assert(
    fc.property(anyInput, fc.nat(70_000), fc.integer({ min: -1, max: 70_000 }), (input, pid, uid) => {
      const out = new Completer(HOST).complete(input, NOW_US, pid, uid)
      const time = out.indexOf(' ') + 1
      t.regex(out.toString('latin1', 0, time), /^<(\d|[1-9]\d|1[0-8]\d|19[01])>1 $/)
      const timeEnd = fieldEnd(out, time, out.length, 32)
      t.true(isTimestamp(out, time, timeEnd))
      const hostEnd = fieldEnd(out, timeEnd + 1, out.length, 255)
      t.is(out.toString('latin1', timeEnd + 1, hostEnd), HOST)
      const appEnd = fieldEnd(out, hostEnd + 1, out.length, 48)
      const procEnd = fieldEnd(out, appEnd + 1, out.length, 128)
      const idEnd = fieldEnd(out, procEnd + 1, out.length, 32)
      t.true(appEnd > 0 && procEnd > 0 && idEnd > 0, out.toString('latin1'))
      const dataEnd = structuredDataEnd(out, idEnd + 1, out.length)
      t.true(dataEnd > 0 && (dataEnd === out.length || out[dataEnd] === 0x20), out.toString('latin1'))
      const text = out.subarray(dataEnd + 1)
      let end = input.length
      while (end > 0 && (input[end - 1] === 0 || input[end - 1] === 0x0a)) end--
      t.deepEqual(text, input.subarray(end - text.length, end))
    }),
    { numRuns: 3000 },
  )
})

test('a timestamp is told by its shape and ranges', (t) => {
  const is = (text: string): boolean => isTimestamp(Buffer.from(text), 0, text.length)
  for (const text of [
    '2003-10-11T22:14:15Z',
    '1985-04-12T23:20:50.52Z',
    '2003-08-24T05:14:15.000003-07:00',
    '0000-01-01T00:00:00+00:00',
    '9999-12-31T23:59:59.999999+23:59',
  ])
    t.true(is(text), text)
  for (const text of [
    '2003-08-24T05:14:15.000000003-07:00',
    '2003-10-11t22:14:15Z',
    '2003-10-11T22:14:15z',
    '2003-10-11T24:00:00Z',
    '2003-10-11T22:14:60Z',
    '2003-00-11T22:14:15Z',
    '2003-10-32T22:14:15Z',
    '2003-10-11T22:14:15.Z',
    '2003-10-11T22:14:15',
    '2003-10-11 22:14:15Z',
    '2003-10-11T22:14:15+0700',
    '2003-10-11T22:14:15+24:00',
    '-',
    '',
  ])
    t.false(is(text), text)
})

test('formatTimestamp() gives microseconds and the zone', (t) => {
  t.is(formatTimestamp(NOW_US), NOW)
  t.is(formatTimestamp(0), '1970-01-01T00:00:00.000000+00:00')
  t.is(formatTimestamp(1), '1970-01-01T00:00:00.000001+00:00')
})
