// Messages of foreign senders, by the vectors of test/vectors: what comes in, what it is told to be, what goes out. It says what every one of them keeps.

import test from 'ava'
import fc from 'fast-check'
import { effort } from '../../support/effort.ts'
import { Foreign } from '../../support/foreign.ts'
import { anyForeignInput, checkForeign } from '../../support/foreign-input.ts'
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

test('every vector, cut at every byte, gives one message of RFC 5424 that keeps its text', (t) => {
  const foreign = new Foreign({ isTrailerFraming: false })
  for (const { input } of ALL) for (let end = 0; end <= input.length; end++) checkForeign(foreign, input.subarray(0, end))
  t.pass()
})

test('whatever comes, one message of RFC 5424 goes out that keeps its text', (t) => {
  t.log(`LOGHOP_SEED=${SEED}`)
  const foreign = new Foreign({ isTrailerFraming: false })
  fc.assert(
    fc.property(anyForeignInput, (input) => checkForeign(foreign, input)),
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
