// Messages of foreign senders, by the vectors of test/vectors: what comes in, what it is told to be, what goes out. It says what every one of them keeps.

import test from 'ava'
import fc from 'fast-check'
import { AS_RECEIVED_SD_ID } from '../../../core/syslog/as-received.ts'
import { fieldEnd, isTimestamp, structuredDataEnd } from '../../../core/syslog/rfc5424.ts'
import { effort } from '../../support/effort.ts'
import { Foreign } from '../../support/foreign.ts'
import { escaped, RECEIVED_S, readVectors, SPARE_HOST } from '../../support/foreign-vectors.ts'
import { runSeed } from '../../support/random.ts'

const RFC3164 = readVectors('rfc3164.txt')
const RFC5424 = readVectors('rfc5424.txt')
const ALL = [...RFC3164, ...RFC5424]
const SEED = runSeed()

for (const [index, { section, input, form, output }] of ALL.entries())
  test(`${section}: ${index}: ${escaped(input).slice(0, 90)}`, (t) => {
    const completed = new Foreign().complete(input)
    t.is(escaped(completed.output), escaped(output))
    t.is(`${completed.form}, ${completed.hasHost ? 'its host' : 'spare host'}`, form)
    t.is(completed.isParsed, completed.form !== 'unknown')
  })

test('there are 150 vectors of RFC 3164 and more', (t) => {
  t.true(RFC3164.length >= 150, String(RFC3164.length))
})

interface Parts {
  readonly head: string
  readonly host: string
  readonly data: string
  readonly text: Buffer
}

/** Takes a message of RFC 5424 apart, and throws when it is none. */
function partsOf(message: Buffer): Parts {
  const time = message.indexOf(' ') + 1
  const head = message.toString('latin1', 0, time)
  if (!/^<(\d|[1-9]\d|1[0-8]\d|19[01])>1 $/.test(head)) throw new Error(`PRI and VERSION: ${head}`)
  const ends: number[] = []
  for (const limit of [32, 255, 48, 128, 32]) {
    const end = fieldEnd(message, (ends.at(-1) ?? time - 1) + 1, message.length, limit)
    if (end === -1) throw new Error(`field ${ends.length}: ${escaped(message)}`)
    ends.push(end)
  }
  if (!isTimestamp(message, time, ends[0]!)) throw new Error(`TIMESTAMP: ${escaped(message)}`)
  const data = ends[4]! + 1
  const dataEnd = structuredDataEnd(message, data, message.length)
  if (dataEnd === -1 || (dataEnd < message.length && message[dataEnd] !== 0x20)) throw new Error(`STRUCTURED-DATA: ${escaped(message)}`)
  return {
    head,
    host: message.toString('latin1', ends[0]! + 1, ends[1]!),
    data: message.toString('latin1', data, dataEnd),
    text: message.subarray(dataEnd + 1),
  }
}

/** The input as the output tells it, for the forms that keep it in `head`, or undefined. */
function restored(parts: Parts): Buffer | undefined {
  const head = new RegExp(`^\\[${AS_RECEIVED_SD_ID} form="[^"]*" head="((?:[^"\\\\]|\\\\.)*)"\\]`, 's').exec(parts.data)?.[1]
  return head === undefined ? undefined : Buffer.concat([Buffer.from(head.replace(/\\(["\\\]])/g, '$1'), 'latin1'), parts.text])
}

/** What holds for any input. */
function check(foreign: Foreign, input: Buffer): void {
  const completed = foreign.complete(input)
  const { output } = completed
  const parts = partsOf(output)
  if (parts.host !== completed.host) throw new Error(`HOSTNAME is said to be ${completed.host}: ${escaped(output)}`)
  if (!completed.hasHost && completed.host !== SPARE_HOST) throw new Error(`not the spare host: ${completed.host}`)
  const again = foreign.complete(output)
  if (!again.output.equals(output)) throw new Error(`not the same again: ${escaped(output)} is ${escaped(again.output)}`)
  if (!again.isParsed || again.form !== 'rfc5424') throw new Error(`our own is not understood: ${escaped(output)}`)
  if (!input.subarray(input.length - parts.text.length).equals(parts.text)) throw new Error(`text is not the end of ${escaped(input)}`)
  const whole = completed.form === 'rfc5424' ? undefined : restored(parts)
  if (whole !== undefined && !whole.equals(input)) throw new Error(`${escaped(input)} is restored as ${escaped(whole)}`)
  // What stands behind the input in the memory has no part in the output.
  for (const filler of [0x20, 0x3a, 0x30, 0x5d])
    if (!foreign.complete(input, undefined, undefined, filler).output.equals(output))
      throw new Error(`read behind its end: ${escaped(input)}`)
}

test('every vector, cut at every byte, gives one message of RFC 5424 that keeps its text', (t) => {
  const foreign = new Foreign({ isTrailerFraming: false })
  for (const { input } of ALL) for (let end = 0; end <= input.length; end++) check(foreign, input.subarray(0, end))
  t.pass()
})

const piece = fc.constantFrom(
  ...['<13>', '<013>', '<', '>', '1 ', ' ', '  ', ':', ': ', '%', '%A-1-B: ', '*', '.', '-', '- ', '[', ']', '"', '\\', '=', '\n', '\0'],
  ...[
    'Mar  1 ',
    'Mar 1 ',
    '10:00:00',
    '10:00:00.5',
    ' 2026 ',
    '2026-03-01T10:00:00Z ',
    '2026 Mar  1 ',
    ' CET',
    ' +0200',
    ' UTC+1',
    '1772359200 ',
  ],
  ...[
    'web01 ',
    'app: ',
    'app[1]: ',
    '123: ',
    '1w2d: ',
    '00:01:02: ',
    '::1 ',
    'Forwarded from ',
    'last message repeated ',
    '[a b="c"]',
    '\ufeff',
  ],
  ...['date=2026-03-01 time=10:00:00', ' tz="', ' devname=', 'x'.repeat(49), 'x'.repeat(130), 'y'.repeat(260), '\u00e9'],
)
const anyInput = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.array(piece, { maxLength: 16 }).map((pieces) => Buffer.from(pieces.join(''))),
  fc.tuple(fc.constantFrom(...ALL), fc.nat(200), fc.nat(12), piece).map(([{ input }, at, cut, put]) => {
    const place = at % (input.length + 1)
    return Buffer.concat([input.subarray(0, place), Buffer.from(put), input.subarray(place + cut)])
  }),
)

test('whatever comes, one message of RFC 5424 goes out that keeps its text', (t) => {
  t.log(`LOGHOP_SEED=${SEED}`)
  const foreign = new Foreign({ isTrailerFraming: false })
  fc.assert(
    fc.property(anyInput, (input) => check(foreign, input)),
    { seed: SEED, numRuns: effort({ quick: 4000, ci: 30_000, long: 2_000_000 }) },
  )
  t.pass()
})

test('one completer gives for many messages what a new one gives for each', (t) => {
  const foreign = new Foreign()
  const away = [0, 0, 1, 3599, 3601, 86_400, -1, -7200, 365 * 86_400]
  for (let round = 0; round < 3; round++)
    for (const [index, { input }] of ALL.entries()) {
      const second = RECEIVED_S + away[(index + round) % away.length]!
      t.deepEqual(foreign.complete(input, second), new Foreign().complete(input, second))
    }
})

test('a time without zone is of the zone that was given, by the moment it means', (t) => {
  // Central Europe in 2026: summer from 29 March, 01:00 UTC.
  const summer = Date.UTC(2026, 2, 29, 1) / 1000
  const foreign = new Foreign({ minutesAt: (second) => (second >= summer ? 120 : 60) })
  const stamp = (line: string, second: number): string => foreign.complete(Buffer.from(line), second).output.toString().split(' ')[1]!
  t.is(stamp('<13>Mar  1 10:00:00 h a: x', RECEIVED_S), '2026-03-01T10:00:00+01:00')
  t.is(stamp('<13>Mar 29 01:59:59 h a: x', summer + 5), '2026-03-29T01:59:59+01:00')
  t.is(stamp('<13>Mar 29 03:00:00 h a: x', summer + 5), '2026-03-29T03:00:00+02:00')
  t.is(stamp('<13>x', summer), '2026-03-29T03:00:00.123456+02:00')
  t.is(stamp('<13>Jan  1 00:30:00 h a: x', Date.UTC(2026, 11, 31, 23, 30) / 1000), '2027-01-01T00:30:00+02:00')
})

test('without a spare host NILVALUE stays', (t) => {
  const foreign = new Foreign({}, '')
  for (const line of ['<13>x', '<13>1 2026-03-01T10:00:00Z - a - - - x', '<13>Mar  1 10:00:00 a: x', 'x']) {
    const completed = foreign.complete(Buffer.from(line))
    t.is(completed.host, '-', line)
    t.false(completed.hasHost)
  }
  t.is(foreign.complete(Buffer.from('<13>1 2026-03-01T10:00:00Z - a - - - x')).output.toString(), '<13>1 2026-03-01T10:00:00Z - a - - - x')
})

test('setSpareHost() refuses what cannot be a HOSTNAME, and keeps the former one', (t) => {
  const foreign = new Foreign()
  for (const name of ['a b', 'h\u00e9', 'x'.repeat(256), '\n'])
    t.throws(() => foreign.completer.setSpareHost(name), { instanceOf: RangeError })
  t.is(foreign.complete(Buffer.from('x')).host, SPARE_HOST)
  foreign.completer.setSpareHost('2001:db8::1')
  t.is(foreign.complete(Buffer.from('x')).host, '2001:db8::1')
})

test('on a wire that counts octets, a line end at the end is text', (t) => {
  const framed = new Foreign({ isTrailerFraming: true })
  const counted = new Foreign({ isTrailerFraming: false })
  for (const line of ['<13>x\n', '<13>1 2026-03-01T10:00:00Z h a - - - x\r\n', 'x\0']) {
    t.true(
      counted
        .complete(Buffer.from(line))
        .output.toString('latin1')
        .endsWith(line.slice(line.indexOf('x'))),
    )
    t.true(framed.complete(Buffer.from(line)).output.toString('latin1').endsWith('x'))
  }
})

test('takeUnparsed() counts the headers that were not understood', (t) => {
  const foreign = new Foreign()
  for (const line of ['x', '<999>x', '<13>x', '<13>1 2026-03-01T10:00:00Z h', '<13>Mar  1 10:00:00 h a: x'])
    foreign.complete(Buffer.from(line))
  t.is(foreign.completer.takeUnparsed(), 3)
  t.is(foreign.completer.takeUnparsed(), 0)
})
