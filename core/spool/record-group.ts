// Records that are written in one go: a system call costs as much as a dozen small records.

import { frameBatch, type NewBatch } from './batch.ts'

/** Well below what one record may have, so that a group is written like one. */
const GROUP_LIMIT_BYTES = 1 << 20

/** New messages of one origin, whose payload stands at `bytes[start..end]`, behind BATCH_HEADROOM_BYTES of room. */
export interface PayloadBatch extends Omit<NewBatch, 'stream' | 'first'> {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

/** Splits the batches, in their order, into groups that can be written together: not too long, and each origin once, since its next sequence follows from what is stored. */
export function groupsOf<T extends PayloadBatch>(batches: readonly T[]): T[][] {
  const groups: T[][] = []
  let origins = new Set<string>()
  let length = 0
  for (const batch of batches) {
    const bytes = batch.end
    if (groups.length === 0 || length + bytes > GROUP_LIMIT_BYTES || origins.has(batch.origin)) {
      groups.push([])
      origins = new Set()
      length = 0
    }
    groups.at(-1)!.push(batch)
    origins.add(batch.origin)
    length += bytes
  }
  return groups
}

/** Puts the records of a group behind one another. */
export class RecordGroup {
  #bytes = Buffer.alloc(0)

  /**
   * @param nextOf the sequence that comes next in the stream of an origin
   * @returns the records, valid until the next call
   */
  framed(group: readonly PayloadBatch[], stream: string, nextOf: (origin: string) => number, storedUs: number): Uint8Array {
    let end = 0
    for (const batch of group) {
      const { bytes, start } = batch
      const from = frameBatch(bytes, start, batch.end, { ...batch, stream, first: nextOf(batch.origin) }, storedUs)
      if (group.length === 1) return bytes.subarray(from, batch.end)
      if (this.#bytes.length === 0) this.#bytes = Buffer.allocUnsafeSlow(GROUP_LIMIT_BYTES)
      end += bytes.copy(this.#bytes, end, from, batch.end)
    }
    return this.#bytes.subarray(0, end)
  }
}
