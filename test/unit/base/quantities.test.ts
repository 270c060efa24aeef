import test from 'ava'
import { durationOption, formatDuration, formatSize, parseDuration, parseSize, sizeOption } from '../../../core/base/quantities.ts'

for (const [text, bytes] of [
  ['4096', 4096],
  ['0', 0],
  ['1B', 1],
  ['10 MiB', 10 * 2 ** 20],
  ['1GiB', 2 ** 30],
  ['500MB', 500_000_000],
  ['3 kB', 3000],
  ['2tib', 2 ** 41],
] as const) {
  test(`parseSize() reads ${text} as ${bytes} bytes`, (t) => t.deepEqual(parseSize(text), { kind: 'ok', value: bytes }))
}

for (const [text, milliseconds] of [
  ['500ms', 500],
  ['30s', 30_000],
  ['2 min', 120_000],
  ['1h', 3_600_000],
  ['30d', 30 * 86_400_000],
] as const) {
  test(`parseDuration() reads ${text} as ${milliseconds} ms`, (t) => t.deepEqual(parseDuration(text), { kind: 'ok', value: milliseconds }))
}

for (const [text, reason] of [
  ['', /not a whole number/],
  ['GiB', /not a whole number/],
  ['-1', /not a whole number/],
  ['1.5GiB', /not a whole number/],
  ['1e3', /not a whole number/],
  ['10M', /unit "M" could be MB or MiB/],
  ['10 parsec', /unit "parsec" is none of TB, GB/],
  ['9999999999999TiB', /over 9007199254740991/],
] as const) {
  test(`parseSize() refuses "${text}" with a reason`, (t) => {
    const result = parseSize(text)
    t.regex(result.kind === 'malformed' ? result.reason : '', reason)
  })
}

test('parseDuration() refuses a number without a unit, and m, which is minutes to some and months to others', (t) => {
  t.deepEqual(parseDuration('10'), { kind: 'malformed', reason: 'no unit, one of d, h, min, s, ms' })
  t.deepEqual(parseDuration('10m'), { kind: 'malformed', reason: 'unit "m" could be min or ms' })
})

test('parseSize() and parseDuration() read what the formats write', (t) => {
  for (const bytes of [0, 1, 1000, 1024, 65_536, 2 ** 30, 2 ** 46]) t.deepEqual(parseSize(formatSize(bytes)), { kind: 'ok', value: bytes })
  for (const ms of [0, 1, 1500, 60_000, 86_400_000]) t.deepEqual(parseDuration(formatDuration(ms)), { kind: 'ok', value: ms })
  t.is(formatSize(65_536), '64KiB')
  t.is(formatDuration(90_000), '90s')
})

test('sizeOption() takes text and whole numbers at both limits and nothing beyond', (t) => {
  const option = sizeOption({ min: 1024, max: 2048 })
  t.is(option.parse('1KiB'), 1024)
  t.is(option.parse(2048), 2048)
  for (const wrong of [1023, 2049, '1023', '2049B', 1024.5, -1, Number.NaN, true, null, undefined]) t.false(option.safeParse(wrong).success)
})

test('durationOption() takes text at both limits, its default, and no bare number', (t) => {
  const option = durationOption({ sense: 'Patience', min: 1000, max: 60_000, fallback: 5000 })
  t.is(option.parse('1s'), 1000)
  t.is(option.parse('1min'), 60_000)
  t.is(option.parse(undefined), 5000)
  for (const wrong of ['999ms', '60001ms', 5000]) t.false(option.safeParse(wrong).success)
  t.is(option.description, 'Patience: a duration such as 5s, from 1s to 1min; default 5s')
})
