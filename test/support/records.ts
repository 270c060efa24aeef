import { CODEC_PLAIN, encodeEnvelope, frameBatch, type NewBatch } from '../../core/spool/batch.ts'
import { BATCH_HEADROOM_BYTES } from '../../core/spool/constants.ts'
import type { Hop } from '../../core/spool/hops.ts'

export const STREAM = '00112233445566778899aabbccddeeff'

/** A payload: each text behind its length. */
export function payloadOf(texts: ReadonlyArray<string | Buffer>): Buffer {
  return Buffer.concat(
    texts.flatMap((text) => {
      const bytes = Buffer.from(text)
      const length = Buffer.alloc(4)
      length.writeUInt32LE(bytes.length)
      return [length, bytes]
    }),
  )
}

export interface RecordWish extends Partial<NewBatch> {
  readonly skip?: number
  readonly take?: number
  readonly hops?: readonly Hop[]
  readonly storedUs?: number
}

/** A whole record with these messages, as a node would have stored it. */
export function recordOf(texts: ReadonlyArray<string | Buffer>, wish: RecordWish = {}): Buffer {
  const payload = payloadOf(texts)
  const bytes = Buffer.concat([Buffer.alloc(BATCH_HEADROOM_BYTES), payload])
  const batch = {
    origin: 'web01',
    stream: STREAM,
    first: 1,
    count: texts.length,
    plainBytes: payload.length,
    codec: CODEC_PLAIN,
    receivedUs: 1_700_000_000_000_001,
    ...wish,
    hops: undefined,
  }
  const start = frameBatch(bytes, BATCH_HEADROOM_BYTES, bytes.length, batch, 1) + 32
  const { skip = 0, take = batch.count - skip, hops = [], storedUs = 1_700_000_000_000_002 } = wish
  return Buffer.concat([encodeEnvelope(bytes.length - start, { skip, take }, hops, storedUs), bytes.subarray(start)])
}
