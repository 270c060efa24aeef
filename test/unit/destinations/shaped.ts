// Records for shapers, what comes of them as text, and that the same comes whatever is interrupted.

import type { ExecutionContext } from 'ava'
import type { Shaper } from '../../../core/destinations/shaper.ts'
import type { SharedRecord } from '../../../core/destinations/shared-records.ts'
import { messageContext } from '../../../core/syslog/message-fields.ts'
import type { Random } from '../../support/random.ts'

const START_US = Date.UTC(2026, 0, 1) * 1000

/** A record of these messages, received so many seconds after the start. */
export function recordOf(second: number, messages: readonly string[], host = 'web01'): SharedRecord {
  const bytes = Buffer.from(messages.join(''))
  const places: number[] = []
  let at = 0
  for (const message of messages) {
    places.push(at, at + Buffer.byteLength(message))
    at += Buffer.byteLength(message)
  }
  const context = {
    ...messageContext({ host, receivedUs: START_US + Math.round(second * 1_000_000), localHost: 'loghost' }),
    sequence: 0,
    firstSequence: 1,
  }
  return { bytes, places: Uint32Array.from(places), context: { ...context, count: messages.length } } as unknown as SharedRecord
}

/** Messages that come of the record, as text. */
export function textsOf(shaper: Shaper, record: SharedRecord): string[] {
  return shaper
    .shape(record)
    .flatMap(({ record: { bytes, places }, messages }) =>
      messages.map((at) => bytes.toString('utf8', places[at * 2]!, places[at * 2 + 1]!)),
    )
}

/** Interrupted anywhere, gone back, saved and restored: the same comes out as without. @returns the shaper at its end, and that of the run without */
export function interrupted(
  t: ExecutionContext,
  random: Random,
  records: readonly SharedRecord[],
  make: (saved?: unknown) => Shaper,
): [Shaper, Shaper] {
  const whole = make()
  const wanted = records.map((record) => textsOf(whole, record))
  whole.settle(records.length)
  let shaper = make()
  let settled = 0
  let shaped = 0
  while (settled < records.length) {
    const step = random.int(0, 9)
    if (step < 6 && shaped < records.length) {
      t.deepEqual(textsOf(shaper, records[shaped]!), wanted[shaped], `record ${shaped}`)
      shaped++
    } else if (step < 8) {
      const count = random.int(0, shaped - settled)
      shaper.settle(count)
      settled += count
    } else {
      if (step === 8) shaper.rewind()
      else shaper = make(JSON.parse(JSON.stringify(shaper.saved())))
      shaped = settled
    }
  }
  return [shaper, whole]
}
