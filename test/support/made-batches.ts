// Batches whose bytes and lines follow from their number alone, so that a sender that forgot everything sends the same ones again.

import { CODEC_PLAIN, frameBatch } from '../../core/spool/batch.ts'
import { BATCH_HEADROOM_BYTES } from '../../core/spool/constants.ts'

export const MESSAGES_PER_BATCH = 10
export const HOSTS = ['a.example.com', 'b.example.com', 'c.example.com'] as const
const STREAM = '0123456789abcdef0123456789abcdef'
const RECEIVED_US = 1_750_000_000_000_000

/** The host of a batch; the last of the hosts begins to send late. */
export function hostOf(batch: number, batches: number): (typeof HOSTS)[number] {
  return HOSTS[batch > batches / 2 ? batch % 3 : batch % 2]!
}

function indexAtHost(batch: number): number {
  let index = 0
  for (let before = 1; before < batch; before++) if (hostOf(before, BATCHES) === hostOf(batch, BATCHES)) index++
  return index
}

/** Batches of one run. */
export const BATCHES = 36

/** Batch number 1, 2 ... as it comes over the wire. */
export function madeBatch(batch: number): Buffer {
  const messages = Array.from({ length: MESSAGES_PER_BATCH }, (_, index) => {
    const number = (batch - 1) * MESSAGES_PER_BATCH + index + 1
    return Buffer.from(`<13>1 2026-01-01T00:00:00Z host app - - - ${number} ${'x'.repeat((number * 37) % 300)}`)
  })
  const payload = Buffer.concat([
    Buffer.alloc(BATCH_HEADROOM_BYTES),
    ...messages.flatMap((message) => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(message.length)
      return [length, message]
    }),
  ])
  const start = frameBatch(
    payload,
    BATCH_HEADROOM_BYTES,
    payload.length,
    {
      origin: hostOf(batch, BATCHES),
      stream: STREAM,
      first: indexAtHost(batch) * MESSAGES_PER_BATCH + 1,
      count: MESSAGES_PER_BATCH,
      plainBytes: payload.length - BATCH_HEADROOM_BYTES,
      codec: CODEC_PLAIN,
      receivedUs: RECEIVED_US,
    },
    RECEIVED_US,
  )
  return payload.subarray(start)
}

/** The numbers that belong into a host's file, in order. */
export function numbersOf(host: string): number[] {
  const numbers: number[] = []
  for (let batch = 1; batch <= BATCHES; batch++) {
    if (hostOf(batch, BATCHES) !== host) continue
    for (let index = 1; index <= MESSAGES_PER_BATCH; index++) numbers.push((batch - 1) * MESSAGES_PER_BATCH + index)
  }
  return numbers
}
