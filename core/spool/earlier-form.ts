// Records for a node that does not know the addresses of hops: FORMAT.md, "Forms of the hops".

import { encodeEnvelope, type RecordHead } from './batch.ts'
import { HOPS_PLAIN, type Hop, readHops } from './hops.ts'

/**
 * Whole records, back to back, as a node of the earlier form reads them: without the addresses. The batches stay byte for byte.
 * @returns undefined where they are so already
 */
export function inEarlierForm(bytes: Buffer, heads: readonly RecordHead[]): Buffer | undefined {
  if (heads.every(({ start }) => bytes[start + 15] === HOPS_PLAIN)) return undefined
  return Buffer.concat(
    heads.flatMap((head) => {
      const { start, end, batchStart, skip, take, storedUs } = head
      const hops = bytes[start + 15] === HOPS_PLAIN ? undefined : readHops(bytes, head)
      if (hops === undefined) return [bytes.subarray(start, end)]
      const plain = hops.map(({ id, name, arrivedUs }): Hop => ({ id, name, arrivedUs }))
      return [encodeEnvelope(end - batchStart, { skip, take }, plain, storedUs), bytes.subarray(batchStart, end)]
    }),
  )
}
