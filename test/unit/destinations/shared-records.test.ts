// Many destinations on one spool: read once, chosen by each, and none of them waits for another.

import test from 'ava'
import { DiscardOutlet } from '../../../core/destinations/discard.ts'
import type { Outlet } from '../../../core/destinations/outlet.ts'
import { RoutedSelects } from '../../../core/destinations/routed-selects.ts'
import { selectorSelects } from '../../../core/destinations/selector-selects.ts'
import { anyOfSelects } from '../../../core/destinations/selects.ts'
import { drained, messagesOf, OutletWorld } from './outlet-world.ts'

/** Keeps what it is given, as far as it has room. */
class Collecting implements Outlet {
  readonly kind = 'collecting'
  readonly name = 'collecting'
  readonly guarantee = 'all'
  readonly retryLimitMs = 1
  readonly texts: string[] = []
  room = Number.POSITIVE_INFINITY
  sequences: number[] = []
  failAt = -1
  onChange = (): void => undefined
  #done = 0

  open(events: { onChange(): void }): void {
    this.onChange = events.onChange
    this.#done = 0
  }

  add(bytes: Buffer, start: number, end: number, context: { sequence: number }): boolean {
    if (this.texts.length === this.failAt) {
      this.failAt = -1
      throw Object.assign(new Error('gone'), { code: 'EPIPE' })
    }
    if (this.texts.length >= this.room) return false
    this.texts.push(bytes.toString('latin1', start, end))
    this.sequences.push(context.sequence)
    this.#done++
    return true
  }

  flush(): void {}

  done(): number {
    return this.#done
  }

  close(): void {}
}

test('twenty destinations that keep up read and unpack each part of the spool once', async (t) => {
  const names = Array.from({ length: 20 }, (_, index) => `test-${index}`)
  const world = new OutletWorld(t, names)
  const outlets = names.map(() => new Collecting())
  const destinations = outlets.map((outlet, index) => world.start(outlet, undefined, names[index]))
  for (let from = 0; from < 50_000; from += 2500) {
    await world.store(messagesOf(2500, from), true)
    for (const destination of destinations) await drained(destination)
  }
  for (const outlet of outlets) t.deepEqual(outlet.texts, messagesOf(50_000))
  t.deepEqual(
    outlets[7]!.sequences,
    Array.from({ length: 50_000 }, (_, index) => index + 1),
  )
  t.true(world.records.reads <= 25, `${world.records.reads} readings of 20 batches`)
})

test('one that has no room stops no other, and gets everything when it has', async (t) => {
  const world = new OutletWorld(t, ['fast', 'slow'])
  const fast = new Collecting()
  const slow = new Collecting()
  slow.room = 10
  const destinations = [world.start(fast, undefined, 'fast'), world.start(slow, undefined, 'slow')]
  for (let from = 0; from < 40_000; from += 4000) await world.store(messagesOf(4000, from), from % 8000 === 0)
  await drained(destinations[0]!)
  t.is(slow.texts.length, 10)
  t.true(Number(destinations[1]!.status()['lag_bytes']) > 0)
  slow.room = Number.POSITIVE_INFINITY
  slow.onChange()
  await drained(destinations[1]!)
  t.deepEqual(slow.texts, messagesOf(40_000))
  t.deepEqual(fast.texts, slow.texts)
})

test('a selector lets through what it chooses, several of one destination each message once, and the cursor passes over the rest', async (t) => {
  const world = new OutletWorld(t, ['errors', 'mail', 'none'])
  const errors = new Collecting()
  const both = new Collecting()
  const none = new Collecting()
  const mail = anyOfSelects([selectorSelects('mail.*')!, selectorSelects('*.err')!])
  const destinations = [
    world.start(errors, selectorSelects('*.err'), 'errors'),
    world.start(both, mail, 'mail'),
    world.start(none, selectorSelects('news.*'), 'none'),
  ]
  const messages = Array.from({ length: 192 }, (_, pri) => messagesOf(1, pri, pri)[0]!)
  await world.store(messages)
  await world.store(messages, true)
  for (const destination of destinations) await drained(destination)
  const wanted = messages.filter((_, pri) => (pri & 7) <= 3)
  t.deepEqual(errors.texts, [...wanted, ...wanted])
  const wantedBoth = messages.filter((_, pri) => (pri & 7) <= 3 || pri >>> 3 === 2)
  t.deepEqual(both.texts, [...wantedBoth, ...wantedBoth])
  t.is(none.texts.length, 2 * 8)
})

test('a failure within a batch goes on behind what was done, and not from its start', async (t) => {
  const world = new OutletWorld(t)
  const outlet = new Collecting()
  outlet.failAt = 700
  const destination = world.start(outlet, { selects: (bytes, _start, end) => bytes[end - 1] !== 0x33 })
  await world.store(messagesOf(2000))
  await drained(destination)
  t.deepEqual(
    outlet.texts,
    messagesOf(2000).filter((message) => !message.endsWith('3')),
  )
  t.is(destination.status()['delivered'], 1800)
})

test('discard takes everything and keeps nothing; stopping hands over what is there', async (t) => {
  const world = new OutletWorld(t)
  const destination = world.start(new DiscardOutlet())
  await world.store(messagesOf(10_000))
  await destination.stop(AbortSignal.timeout(10_000))
  t.is(destination.status()['lag_bytes'], 0)
  t.is(world.metrics.get('messagesDelivered'), 10_000)
})

test('rules are walked once for each message, however many destinations there are', async (t) => {
  const names = Array.from({ length: 40 }, (_, index) => `test-${index}`)
  const world = new OutletWorld(t, names)
  let walks = 0
  const hits = [0, 0]
  // To the destinations of its last digit, and 30 behind it.
  const router = {
    hits,
    route: (bytes: Uint8Array, _start: number, end: number) => {
      walks++
      hits[0] = bytes[end - 1]! - 0x30
      hits[1] = hits[0] + 30
      return 2
    },
  }
  const routed = new RoutedSelects(router)
  const outlets = names.map(() => new Collecting())
  const destinations = outlets.map((outlet, index) => world.start(outlet, routed.selectsFor(index), names[index]))
  await world.store(messagesOf(1000))
  await world.store(messagesOf(1000, 1000), true)
  for (const destination of destinations) await drained(destination)
  t.is(walks, 2000)
  for (const [index, outlet] of outlets.entries()) {
    const wanted = index >= 10 && index < 30 ? [] : messagesOf(2000).filter((message) => message.endsWith(String(index % 10)))
    t.deepEqual(outlet.texts, wanted)
  }
})
