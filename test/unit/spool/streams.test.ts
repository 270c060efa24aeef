import test from 'ava'
import fc from 'fast-check'
import { INTERVALS_LIMIT, ORIGIN_STREAMS_LIMIT, STREAMS_LIMIT, Streams } from '../../../core/spool/streams.ts'

const range = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 12 }))

test('the interval set is a set of numbers', (t) => {
  fc.assert(
    fc.property(fc.array(fc.record({ range, stream: fc.constantFrom('s1', 's2'), restores: fc.boolean() }), { maxLength: 40 }), (steps) => {
      let streams = new Streams()
      const naive = new Map<string, Set<number>>()
      for (const {
        range: [from, more],
        stream,
        restores,
      } of steps) {
        const set = naive.get(stream) ?? new Set()
        naive.set(stream, set)
        const wanted = Array.from({ length: more + 1 }, (_, index) => from + index).filter((number) => !set.has(number))
        const parts = streams.missing('host', stream, from, from + more)
        t.deepEqual(
          parts.flatMap(([low, high]) => Array.from({ length: high - low + 1 }, (_, index) => low + index)),
          wanted,
        )
        // Parts are as few as can be, in order.
        for (let index = 1; index < parts.length; index++) t.true(parts[index]![0] > parts[index - 1]![1] + 1)
        streams.add('host', stream, from, from + more)
        for (const number of wanted) set.add(number)
        t.is(streams.next('host', stream), Math.max(...set) + 1)
        if (restores) streams = Streams.restore(JSON.parse(JSON.stringify(streams.snapshot())))
      }
      for (const [, stream, intervals] of streams.snapshot()) {
        t.is(
          intervals.reduce((sum, [from, to]) => sum + to - from + 1, 0),
          naive.get(stream)!.size,
        )
        for (let index = 1; index < intervals.length; index++) t.true(intervals[index]![0] > intervals[index - 1]![1] + 1)
      }
    }),
    { numRuns: 300 },
  )
})

test('one name in two streams, and two names in one, are apart', (t) => {
  const streams = new Streams()
  streams.add('a', 's', 1, 9)
  t.deepEqual(streams.missing('b', 's', 1, 9), [[1, 9]])
  t.deepEqual(streams.missing('a', 'r', 1, 9), [[1, 9]])
  t.is(streams.next('b', 's'), 1)
})

test('a stream with too many gaps takes no more', (t) => {
  const streams = new Streams()
  for (let index = 0; index < INTERVALS_LIMIT; index++) {
    t.true(streams.hasRoom('a', 's'))
    streams.add('a', 's', 1 + index * 2, 1 + index * 2)
  }
  t.false(streams.hasRoom('a', 's'))
  t.true(streams.hasRoom('a', 'another'))
})

test('a host with many streams forgets its own oldest, never those of another host', (t) => {
  const streams = new Streams()
  streams.add('other', 's', 1, 5)
  for (let index = 0; index < ORIGIN_STREAMS_LIMIT + 3; index++) streams.add('a', `s${index}`, 1, 1)
  t.is(streams.size, ORIGIN_STREAMS_LIMIT + 1)
  t.is(streams.next('a', 's2'), 1)
  t.is(streams.next('a', 's3'), 2)
  t.is(streams.next('other', 's'), 6)
})

test('at the limit the stream that was used least recently is forgotten, the own one never', (t) => {
  const streams = new Streams()
  streams.keep('own')
  streams.add('here', 'own', 1, 7)
  for (let index = 0; index < STREAMS_LIMIT + 9; index++) streams.add(`a${index}`, 's', 1, 1)
  t.is(streams.size, STREAMS_LIMIT)
  t.is(streams.forgotten, 10)
  t.is(streams.next('here', 'own'), 8)
  t.is(streams.next('a9', 's'), 1)
  t.is(streams.next('a10', 's'), 2)
})
