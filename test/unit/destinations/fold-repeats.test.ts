// "last message repeated N times": what is folded, when it is told, and that nothing is unaccounted for.

import test from 'ava'
import { Metrics } from '../../../core/base/metrics.ts'
import { FoldRepeats } from '../../../core/destinations/fold-repeats.ts'
import { limitOption } from '../../../core/destinations/limit-options.ts'
import { messageSelects } from '../../../core/destinations/selector-selects.ts'
import { makeShaper, type ShaperOptions } from '../../../core/destinations/shapers.ts'
import { markMessage } from '../../../core/syslog/mark.ts'
import { Random, runSeed } from '../../support/random.ts'
import { interrupted, recordOf, textsOf } from './shaped.ts'

function fold(metrics = new Metrics(), saved?: unknown): FoldRepeats {
  return new FoldRepeats(undefined, undefined, saved, metrics)
}

function say(text: string, second = 0, program = 'app', pid = 7): string {
  return `<13>1 2026-01-01T00:00:${String(second).padStart(2, '0')}Z web01 ${program} ${pid} - - ${text}`
}

function line(count: number, second = 0, program = 'app'): string {
  return `<13>1 2026-01-01T00:00:${String(second).padStart(2, '0')}Z web01 ${program} - repeated - last message repeated ${count} times`
}

test('the first is written at once, the line comes before what is another message, with the time of the last repeat', (t) => {
  const metrics = new Metrics()
  const shaper = fold(metrics)
  t.deepEqual(textsOf(shaper, recordOf(0, [say('a'), say('a', 1, 'app', 8)])), [say('a')])
  t.deepEqual(textsOf(shaper, recordOf(1, [say('a', 2), say('b', 3), say('b', 4), say('a', 5)])), [
    line(2, 2),
    say('b', 3),
    line(1, 4),
    say('a', 5),
  ])
  t.deepEqual(textsOf(shaper, recordOf(2, [])), [])
  t.is(metrics.get('messagesFolded'), 0, 'counted before it was settled')
  shaper.settle(3)
  t.is(metrics.get('messagesFolded'), 3)
  t.like(shaper.status(), { folded: 3, folding_hosts: 1, folding_hosts_limit: 1024 })
})

test('another program, level, claimed name or text is another message; another time, pid, MSGID and structured data are not', (t) => {
  const a = say('a')
  const others = [
    say('a', 0, 'other'),
    a.replace('<13>', '<14>'),
    a.replace(' web01 ', ' db01 '),
    `${a} `,
    a.slice(0, -1),
    say('-- MARK --'),
  ]
  for (const other of others) t.deepEqual(textsOf(fold(), recordOf(0, [a, other])), [a, other], other)
  for (const same of [say('a', 9, 'app', 9), a.replace(' 7 - - ', ' 7 ID - '), a.replace(' 7 - - ', ' - - [x@32473 a="b"] ')])
    t.deepEqual(textsOf(fold(), recordOf(0, [a, same])), [a], same)
})

test('marks, and messages without text, are written each time', (t) => {
  const mark = markMessage('2026-01-01T00:00:00Z', 'web01').toString()
  const empty = '<13>1 - web01 app - - [event@32473 n="1"]'
  t.deepEqual(textsOf(fold(), recordOf(0, [mark, mark, empty, empty])), [mark, mark, empty, empty])
  t.deepEqual(textsOf(fold(), recordOf(0, [say('a'), say('a', 1), mark, say('a', 2)])), [say('a'), line(1, 1), mark, say('a', 2)])
})

test('what goes on is told after 30 s, 120 s and then each 600 s, with the first record of whoever', (t) => {
  const shaper = fold()
  const told: Array<[number, number]> = []
  let written = 0
  let sum = 0
  for (let second = 0; second < 3000; second++) {
    for (const text of textsOf(
      shaper,
      second % 3 === 0 ? recordOf(second, [say('a')]) : recordOf(second, ['<13>1 - db01 x - - - y'], 'db01'),
    )) {
      const count = / repeated (\d+) times/.exec(text)?.[1]
      if (text.includes(' db01 ')) continue
      if (count === undefined) written++
      else {
        told.push([second, Number(count)])
        sum += Number(count)
      }
    }
  }
  t.deepEqual(told, [
    [30, 9],
    [150, 40],
    [750, 200],
    [1350, 200],
    [1950, 200],
    [2550, 200],
  ])
  t.is(written, 1)
  t.is(sum, 849)
})

test('what comes back after ten minutes is written again, and the clock set back ends an interval', (t) => {
  const shaper = fold()
  t.deepEqual(textsOf(shaper, recordOf(0, [say('a')])), [say('a')])
  t.deepEqual(textsOf(shaper, recordOf(600, [say('a', 1)])), [line(1, 1)])
  t.deepEqual(textsOf(shaper, recordOf(1200.1, [say('a', 2)])), [say('a', 2)])
  t.deepEqual(textsOf(shaper, recordOf(1201, [say('a', 3)])), [])
  t.deepEqual(textsOf(shaper, recordOf(-5000, [])), [line(1, 3)])
})

test('each host has its own: what others say in between does not matter', (t) => {
  const shaper = fold()
  for (const host of ['web01', 'web02']) t.is(textsOf(shaper, recordOf(0, [say('a')], host)).length, 1)
  for (const host of ['web01', 'web02']) t.is(textsOf(shaper, recordOf(1, [say('a')], host)).length, 0)
  const parts = shaper.shape(recordOf(40, [], 'web03'))
  t.deepEqual(
    parts.map(({ record: { context } }) => context.host),
    ['web01', 'web02'],
  )
})

test('more hosts than are known: the one that was silent for longest is told and forgotten, and one record brings few lines', (t) => {
  const shaper = fold()
  let written = 0
  let sum = 0
  const count = (texts: readonly string[]): number => {
    let lines = 0
    for (const text of texts) {
      const told = / repeated (\d+) times/.exec(text)?.[1]
      if (told === undefined) written++
      else {
        sum += Number(told)
        lines++
      }
    }
    return lines
  }
  for (let host = 0; host < 3000; host++) {
    t.true(count(textsOf(shaper, recordOf(0, [say('a'), say('a')], `host${host}`))) <= 1)
    shaper.settle(1)
  }
  t.is(Number(shaper.status()['folding_hosts']), 1024)
  t.is(sum, 3000 - 1024)
  for (let second = 30; second < 30 + 256; second++) t.is(count(textsOf(shaper, recordOf(second, []))), 4)
  t.is(count(textsOf(shaper, recordOf(300, []))), 0)
  t.is(sum, 3000)
  t.is(written, 3000)
  textsOf(shaper, recordOf(601, []))
  t.is(Number(shaper.status()['folding_hosts']), 0, 'what is silent is forgotten')
})

test('only what is chosen counts', (t) => {
  const shaper = new FoldRepeats(messageSelects({ select: 'user.*' }), undefined, undefined, new Metrics())
  t.deepEqual(textsOf(shaper, recordOf(0, [say('a'), '<22>1 - web01 mail - - - m', say('a', 1), say('b')])), [
    say('a'),
    line(1, 1),
    say('b'),
  ])
})

const BOTH: ShaperOptions = { repeated: 'fold', limit: limitOption.parse({ per: 'host', rate: '3/s', burst: 7 }) }

test('behind a limit: the line about suppressed messages is not taken for the one that was repeated', (t) => {
  const shaper = makeShaper({ repeated: 'fold', limit: limitOption.parse({ rate: '2/s', burst: 2 }) }, undefined, undefined, new Metrics())!
  t.deepEqual(textsOf(shaper, recordOf(0, [say('a'), say('a', 1), say('a', 2)])), [say('a')])
  const [told, suppressed, ...rest] = textsOf(shaper, recordOf(6, [say('a', 3)]))
  t.is(told, line(1, 1))
  t.regex(suppressed!, / - 1 message of app at web01 suppressed/)
  t.deepEqual(rest, [say('a', 3)])
})

test('interrupted anywhere, gone back, saved and restored: the same comes out as without, with and without a limit', (t) => {
  const seed = runSeed()
  t.log(`LOGHOP_SEED=${seed}`)
  for (let round = 0; round < 40; round++) {
    const random = new Random(seed + round)
    let second = 0
    const records = Array.from({ length: 150 }, () => {
      second += random.int(0, 300) / 10 - (random.int(0, 20) === 0 ? 30 : 0) + (random.int(0, 30) === 0 ? 700 : 0)
      const messages = Array.from({ length: random.int(0, 6) }, (_, at) => say('ab'[random.int(0, 9) === 0 ? 1 : 0]!, at))
      return recordOf(second, messages, `h${random.int(0, 5)}`)
    })
    const options: ShaperOptions = round % 2 === 0 ? BOTH : { repeated: 'fold' }
    const metrics = new Metrics()
    const [shaper, whole] = interrupted(t, random, records, (saved) => makeShaper(options, undefined, saved, metrics)!)
    t.deepEqual((shaper.saved() as { repeated: unknown }).repeated, (whole.saved() as { repeated: unknown }).repeated, `round ${round}`)
  }
})

test('what is saved is taken over when limit or repeated come or go, and what was counted is told when it is not wanted any more', (t) => {
  const metrics = new Metrics()
  const both = makeShaper(BOTH, undefined, undefined, metrics)!
  textsOf(both, recordOf(0, [...Array.from({ length: 10 }, () => say('a')), say('a', 9)]))
  both.settle(1)
  const saved = JSON.parse(JSON.stringify(both.saved()))
  const ending = makeShaper({}, undefined, saved, metrics)!
  t.deepEqual(textsOf(ending, recordOf(1, [say('a'), say('a')])), [line(6), say('a'), say('a')])
  ending.settle(1)
  t.is(makeShaper({}, undefined, JSON.parse(JSON.stringify(ending.saved())), metrics), undefined)
  const limited = makeShaper({ limit: BOTH.limit }, undefined, saved, metrics)!
  const [first, ...rest] = textsOf(
    limited,
    recordOf(
      1,
      Array.from({ length: 9 }, () => say('a')),
    ),
  )
  t.is(first, line(6))
  t.is(rest.length, 3, 'the bucket is as empty as it was')
  const alone = makeShaper({ limit: BOTH.limit }, undefined, undefined, metrics)!
  textsOf(
    alone,
    recordOf(
      0,
      Array.from({ length: 20 }, () => say('a')),
    ),
  )
  alone.settle(1)
  t.is(textsOf(makeShaper(BOTH, undefined, JSON.parse(JSON.stringify(alone.saved())), metrics)!, recordOf(0.1, [say('a')])).length, 0)
  for (const broken of [{ repeated: [null, {}, { host: 1 }] }, { repeated: 5 }, 7, 'x'])
    t.notThrows(() => makeShaper(BOTH, undefined, broken, metrics))
})
