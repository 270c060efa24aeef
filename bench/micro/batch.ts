// node bench/micro/batch.ts [rounds]: framing and reading a batch of 250 messages, per message.

import { CODEC_PLAIN, frameBatch, readRecord } from '../../core/spool/batch.ts'
import { BATCH_HEADROOM_BYTES } from '../../core/spool/constants.ts'
import { measure } from './measure.ts'

const COUNT = 250
const PASSES = 2000
const payload = Buffer.alloc(COUNT * 204, 'x')
const memory = Buffer.alloc(BATCH_HEADROOM_BYTES + payload.length)
payload.copy(memory, BATCH_HEADROOM_BYTES)
const facts = {
  origin: 'web01.example.com',
  stream: '0f'.repeat(16),
  count: COUNT,
  plainBytes: payload.length,
  codec: CODEC_PLAIN,
  receivedUs: 1,
}
let start = 0

measure('batch: framed', COUNT * PASSES, () => {
  for (let pass = 1; pass <= PASSES; pass++) start = frameBatch(memory, BATCH_HEADROOM_BYTES, memory.length, { ...facts, first: pass }, 1)
  return start
})
for (const isOurs of [false, true])
  measure(isOurs ? 'batch: read, our own' : 'batch: read and checked', COUNT * PASSES, () => {
    let sum = 0
    for (let pass = 0; pass < PASSES; pass++) {
      const result = readRecord(memory, start, memory.length, isOurs)
      if (result.kind !== 'record') throw new Error(result.kind)
      sum += result.head.count
    }
    return sum
  })
