import test from 'ava'
import { nearest } from '../../../core/base/nearest.ts'

const KNOWN = ['identity', 'relays', 'rules', 'stop_timeout', 'log']

for (const [word, meant] of [
  ['relay', 'relays'],
  ['realys', 'relays'],
  ['Relays', 'relays'],
  ['stopTimeout', 'stop_timeout'],
  ['lgo', 'log'],
  ['log2', 'log'],
  ['zebra', undefined],
  ['', undefined],
  ['r'.repeat(65), undefined],
] as const) {
  test(`nearest() takes "${word.slice(0, 20)}" for ${meant}`, (t) => t.is(nearest(word, KNOWN), meant))
}
