// Limits in front of a destination: what passes, what is told, and that the same comes of the same records whatever is interrupted.

import test from 'ava'
import { parse } from 'yaml'
import { Metrics } from '../../../core/base/metrics.ts'
import { limitOption } from '../../../core/destinations/limit-options.ts'
import { LoadLimit } from '../../../core/destinations/load-limit.ts'
import { messageSelects } from '../../../core/destinations/selector-selects.ts'
import { Random, runSeed } from '../../support/random.ts'
import { interrupted, recordOf, textsOf } from './shaped.ts'

function flood(count: number, program = 'app', pri = 14): string[] {
  return Array.from({ length: count }, (_, index) => `<${pri}>1 - web01 ${program} - - - number ${index}`)
}

function limitOf(text: string, metrics = new Metrics(), saved?: unknown): LoadLimit {
  return new LoadLimit(limitOption.parse(parse(text))!, undefined, saved, metrics)
}

test('a program that floods is cut to its burst and its rate; what it lost is told once it is quiet, and nothing is unaccounted for', (t) => {
  const metrics = new Metrics()
  const limit = limitOf('{ rate: 10/s, burst: 50 }', metrics)
  t.deepEqual(textsOf(limit, recordOf(0, flood(500))), flood(50))
  t.deepEqual(textsOf(limit, recordOf(1, flood(500))), flood(10))
  t.deepEqual(textsOf(limit, recordOf(1.5, flood(3, 'other'))), flood(3, 'other'), 'another program pays for it')
  t.deepEqual(textsOf(limit, recordOf(5.9, ['<14>1 - web01 other - - - x'])), ['<14>1 - web01 other - - - x'], 'told too early')
  const told = '940 messages of app at web01 suppressed, over 10/s, from 2026-01-01T00:00:00.000Z to 2026-01-01T00:00:01.000Z'
  t.deepEqual(textsOf(limit, recordOf(6, ['<14>1 - web01 other - - - y'])), [
    `<13>1 2026-01-01T00:00:06.000Z web01 app - suppressed - ${told}`,
    '<14>1 - web01 other - - - y',
  ])
  t.deepEqual(textsOf(limit, recordOf(20, [])), [], 'told twice')
  t.is(metrics.get('messagesSuppressed'), 0, 'counted before it was settled')
  limit.settle(6)
  t.is(metrics.get('messagesSuppressed'), 940)
  t.is(limit.status()['suppressed'], 940)
})

test('a flood that goes on is told each minute', (t) => {
  const limit = limitOf('{ rate: 60/min, burst: 1 }')
  const told: string[] = []
  let passed = 0
  for (let second = 0; second < 200; second++) {
    for (const text of textsOf(limit, recordOf(second, flood(10)))) {
      if (text.includes(' suppressed ')) told.push(text)
      else passed++
    }
  }
  t.is(passed, 200)
  t.is(told.length, 3)
  for (const text of told) t.regex(text, /- 540 messages of app at web01 suppressed, over 60\/min/)
})

test('errors and worse pass whatever comes, or the levels that are named', (t) => {
  const usual = limitOf('{ rate: 1/h }')
  t.is(textsOf(usual, recordOf(0, flood(100, 'app', 11))).length, 100)
  t.is(textsOf(usual, recordOf(0, flood(100, 'app', 12))).length, 1)
  const all = limitOf('{ rate: 1/h, levels: "*" }')
  t.is(textsOf(all, recordOf(0, flood(100, 'app', 11))).length, 1)
})

test('per host and per rule: programs, or hosts, share', (t) => {
  const host = limitOf('{ per: host, rate: 5/s }')
  t.is(textsOf(host, recordOf(0, [...flood(5, 'a'), ...flood(5, 'b')])).length, 5)
  t.is(textsOf(host, recordOf(0, flood(5), 'web02')).length, 5)
  t.regex(textsOf(host, recordOf(6, []))[0]!, / web01 - - suppressed - 5 messages at web01 suppressed/)
  const rule = limitOf('{ per: rule, rate: 5/s }')
  t.is(textsOf(rule, recordOf(0, flood(5, 'a'))).length, 5)
  t.is(textsOf(rule, recordOf(0, flood(1), 'web02')).length, 0)
  t.regex(textsOf(rule, recordOf(6, []))[0]!, / loghost - - suppressed - 1 message suppressed, over 5\/s/)
})

test('sample: one in ten of all, or of what is over the rate', (t) => {
  t.deepEqual(
    textsOf(limitOf('{ sample: 10 }'), recordOf(0, flood(100))),
    flood(100).filter((_, index) => index % 10 === 0),
  )
  const over = limitOf('{ rate: 20/s, sample: 10 }')
  t.deepEqual(textsOf(over, recordOf(0, flood(60))), [...flood(20), ...[20, 30, 40, 50].map((index) => flood(60)[index])])
  t.regex(textsOf(over, recordOf(6, []))[0]!, /- 36 messages of app at web01 suppressed, over 20\/s/)
})

test('only what is chosen counts, and the clock going back fills nothing', (t) => {
  const limit = new LoadLimit(limitOption.parse({ rate: '5/s' })!, messageSelects({ select: 'mail.*' }), undefined, new Metrics())
  t.is(textsOf(limit, recordOf(0, [...flood(100), ...flood(5, 'app', 22)])).length, 5)
  t.is(textsOf(limit, recordOf(-3600, flood(5, 'app', 22))).length, 0)
  t.is(textsOf(limit, recordOf(-3599, flood(6, 'app', 22))).filter((text) => !text.includes('suppressed')).length, 5)
})

test('made-up programs and hosts: the buckets stay within their limits, one host does not take those of others, all are accounted for', (t) => {
  const limit = limitOf('{ rate: 1/h }')
  const names = Array.from({ length: 500 }, (_, index) => `<14>1 - web01 p${index} - - - x`)
  let passed = textsOf(limit, recordOf(0, [...names, ...names])).length
  t.true(Number(limit.status()['limited_keys']) <= 64)
  t.is(textsOf(limit, recordOf(0, flood(2), 'web02')).length, 1)
  for (let host = 0; host < 3000; host++) {
    passed += textsOf(limit, recordOf(1, flood(2), `host${host}`)).filter((text) => !text.includes('suppressed')).length
    limit.settle(1)
  }
  const size = Number(limit.status()['limited_keys'])
  t.true(size <= 1024 && size > 1000, String(size))
  let told = 0
  for (let second = 10; second < 400; second++)
    for (const text of textsOf(limit, recordOf(second, []))) told += Number(/- (\d+) messages?/.exec(text)?.[1])
  // web02 lost one of two.
  t.is(passed + 1 + told, 1000 + 2 + 6000)
  // A bucket that is full again makes room.
  t.is(textsOf(limit, recordOf(100_000, flood(2), 'new')).length, 1)
})

test('interrupted anywhere, gone back, saved and restored: the same comes out as without', (t) => {
  const seed = runSeed()
  t.log(`LOGHOP_SEED=${seed}`)
  for (let round = 0; round < 40; round++) {
    const random = new Random(seed + round)
    const text = `{ per: ${['program', 'host', 'rule'][round % 3]}, rate: 3/s, burst: 7${round % 2 === 0 ? ', sample: 4' : ''} }`
    let second = 0
    const records = Array.from({ length: 120 }, () => {
      second += random.int(0, 40) / 10 - (random.int(0, 20) === 0 ? 30 : 0)
      const messages = Array.from({ length: random.int(0, 12) }, (_, at) => `<${random.int(8, 15)}>1 - - p${random.int(0, 80)} - - - ${at}`)
      return recordOf(second, messages, `h${random.int(0, 3)}`)
    })
    const [limit, whole] = interrupted(t, random, records, (saved) => limitOf(text, new Metrics(), saved))
    t.deepEqual(new Set(limit.saved() as object[]), new Set(whole.saved() as object[]))
  }
})

for (const [text, fault] of [
  ['{}', /neither rate nor sample/],
  ['{ rate: 5 }', /rate/],
  ['{ rate: 5/d }', /not a number, a slash/],
  ['{ rate: 0/s }', /not from 1/],
  ['{ rate: 2000000/s }', /not from 1/],
  ['{ sample: 1 }', /sample/],
  ['{ sample: 5, burst: 5 }', /a burst without a rate/],
  ['{ rate: 5/s, levels: loud }', /unknown level loud/],
  ['{ rate: 5/s, per: user }', /per/],
] as const) {
  test(`refused: ${text}`, (t) => {
    const result = limitOption.safeParse(parse(text))
    t.false(result.success)
    t.regex(JSON.stringify(result.error?.issues), fault)
  })
}
