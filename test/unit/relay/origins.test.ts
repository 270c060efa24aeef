import test from 'ava'
import type { OnMismatch } from '../../../relay/listener-options.ts'
import { NameBudget } from '../../../relay/name-budget.ts'
import { Origins } from '../../../relay/origins.ts'

function made(
  onMismatch: OnMismatch = 'rewrite',
  namesLimit = 1000,
  known: readonly string[] = [],
): { origins: Origins; clock: { nowMs: number } } {
  const clock = { nowMs: 0 }
  const budget = new NameBudget({ monotonicMs: () => clock.nowMs, wallUs: () => 0 }, (name) => known.includes(name))
  const rights = {
    name: 'box7.example.com',
    aliases: ['alias.example.com'],
    speaksFor: ['*.site1.example.com', 'printer'],
    onMismatch,
    namesLimit,
  }
  return { origins: new Origins(rights, budget), clock }
}

for (const [claimed, kind, origin] of [
  ['', 'own', 'box7.example.com'],
  ['-', 'own', 'box7.example.com'],
  ['box7.example.com', 'own', 'box7.example.com'],
  ['BOX7', 'own', 'box7.example.com'],
  ['box7.example', 'own', 'box7.example.com'],
  ['alias.example.com', 'own', 'box7.example.com'],
  ['W1.site1.example.com', 'other', 'w1.site1.example.com'],
  ['printer', 'other', 'printer'],
  ['a.b.site1.example.com', 'renamed', 'box7.example.com'],
  ['box', 'renamed', 'box7.example.com'],
  ['box7.example.com.', 'own', 'box7.example.com'],
  ['box7.example.com..', 'renamed', 'box7.example.com'],
  ['w1.site1.example.com.', 'other', 'w1.site1.example.com'],
  ['..', 'renamed', 'box7.example.com'],
  ['192.0.2.1', 'renamed', 'box7.example.com'],
] as const) {
  test(`a message of "${claimed}" is filed as ${kind}`, (t) => {
    const { origins } = made()
    for (let times = 0; times < 2; times++) t.deepEqual(origins.of(claimed), { kind, origin })
  })
}

test('on a mismatch: set apart below _unverified, or refused', (t) => {
  t.deepEqual(made('quarantine').origins.of('dc01'), { kind: 'renamed', origin: '_unverified/box7.example.com' })
  t.deepEqual(made('refuse').origins.of('dc01'), { kind: 'refused' })
})

test('attack: a million host names stay within the limits, in memory too', (t) => {
  const { origins, clock } = made('rewrite', 1000)
  const filed = new Set<string>()
  for (let index = 0; index < 1_000_000; index++) {
    if (index % 100 === 0) clock.nowMs += 60_000
    filed.add(origins.of(`h${index}.site1.example.com`).kind === 'other' ? `h${index}` : '')
  }
  t.is(filed.size, 1001)
})

test('new names of one sender come at 100 a minute; those that the spool has had before come at once', (t) => {
  const known = Array.from({ length: 500 }, (_, index) => `known${index}.site1.example.com`)
  const { origins, clock } = made('rewrite', 5000, known)
  t.true(known.every((name) => origins.of(name).kind === 'other'))
  const kinds = (from: number): string[] =>
    Array.from({ length: 400 }, (_, index) => origins.of(`new${from + index}.site1.example.com`).kind)
  t.is(kinds(0).filter((kind) => kind === 'other').length, 100)
  t.is(origins.of('new399.site1.example.com').kind, 'limited')
  clock.nowMs = 60_000
  t.is(origins.of('new399.site1.example.com').kind, 'other')
})

test('attack: a sender that floods with new names leaves others their part of the minute, and all together come at 300', (t) => {
  const clock = { monotonicMs: () => 0, wallUs: () => 0 }
  const budget = new NameBudget(clock, () => false)
  const taken = (sender: string): number =>
    Array.from({ length: 500 }, (_, index) => budget.take(sender, `${sender}-${index}`, 5000)).filter((each) => each === 'taken').length
  t.deepEqual(['a', 'b', 'c', 'd'].map(taken), [100, 100, 100, 0])
})

test('a relay of ours brings messages of as many hosts as it may, again and again, and each relay has its own number', (t) => {
  const budget = new NameBudget({ monotonicMs: () => 0, wallUs: () => 0 }, () => false)
  const brought = (relay: string): number =>
    Array.from({ length: 50 }, (_, index) => budget.bring(relay, `h${index}`, 20)).filter(Boolean).length
  t.deepEqual(['a', 'b', 'a'].map(brought), [20, 20, 20])
})
