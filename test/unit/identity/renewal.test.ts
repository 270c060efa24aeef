import test from 'ava'
import { DAY_MS, expiryAlarm, type Life, renewAtMs, retryAfterMs, spreadMs, tickMs } from '../../../core/identity/renewal.ts'

function life(days: number): Life {
  return { fromMs: 1_000_000, toMs: 1_000_000 + days * DAY_MS }
}

const SHORT: Life = { fromMs: 0, toMs: 20_000 }

test('renewAtMs() is two thirds of the life, up to a twentieth sooner', (t) => {
  t.is(renewAtMs(life(30), 0), 1_000_000 + 20 * DAY_MS)
  t.is(Math.round(renewAtMs(life(30), 1)), 1_000_000 + 18.5 * DAY_MS)
  t.is(Math.round(renewAtMs(SHORT, 1)), 12_333)
})

test('tickMs() looks every 30 s, and sooner for lives under an hour', (t) => {
  t.is(tickMs(life(30)), 30_000)
  t.is(tickMs({ fromMs: 0, toMs: 3_600_000 }), 30_000)
  t.is(tickMs({ fromMs: 0, toMs: 600_000 }), 5000)
  t.is(tickMs(SHORT), 200)
  t.is(tickMs({ fromMs: 5, toMs: 5 }), 200)
})

test('retryAfterMs() doubles from a minute to an hour, never over a twentieth of the life', (t) => {
  t.deepEqual(
    [1, 2, 3, 6, 7, 1000].map((failures) => retryAfterMs(failures, life(30), 0)),
    [60_000, 120_000, 240_000, 1_920_000, 3_600_000, 3_600_000],
  )
  t.is(retryAfterMs(1, life(30), 1), 48_000)
  t.is(retryAfterMs(9, SHORT, 0), 1000)
})

test('spreadMs() stays under a minute', (t) => {
  t.is(spreadMs(life(30)), 50_000)
  t.is(spreadMs(SHORT), 1000)
})

test('expiryAlarm() without renewal warns at 30, 14, 7 and 1 days, in proportion for shorter lives', (t) => {
  const year = life(365)
  const level = (of: Life, daysLeft: number, renews = false) => expiryAlarm(of, renews, of.toMs - daysLeft * DAY_MS).level
  t.deepEqual(
    [31, 30.01, 29.9, 14.1, 13.9, 6.9, 1.1, 0.9, 0.01, -0.01].map((days) => level(year, days)),
    [0, 0, 1, 1, 2, 3, 3, 4, 4, 5],
  )
  t.deepEqual(
    [30, 10.1, 9.9, 4.6, 2.3, 0.3, -1].map((days) => level(life(30), days)),
    [0, 0, 1, 2, 3, 4, 5],
  )
})

test('expiryAlarm() with renewal tells nothing until one is overdue', (t) => {
  const of = life(30)
  const at = (day: number) => expiryAlarm(of, true, of.fromMs + day * DAY_MS)
  t.deepEqual(at(20), { level: 0, overdue: false })
  t.deepEqual(at(21.4), { level: 0, overdue: false })
  t.deepEqual(at(21.6), { level: 1, overdue: true })
  t.deepEqual(at(26), { level: 2, overdue: true })
  t.deepEqual(at(28), { level: 3, overdue: true })
  t.deepEqual(at(29.9), { level: 4, overdue: true })
  t.deepEqual(at(30.1), { level: 5, overdue: true })
  // Years of a wrong clock, either way.
  t.is(at(-4000).level, 0)
  t.is(at(4000).level, 5)
})
