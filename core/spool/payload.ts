import { zstdDecompressSync } from 'node:zlib'
import { CODEC_ZSTD, type RecordHead } from './batch.ts'

/**
 * What of the payload of a record that `readRecord` accepted does not fit its header; undefined when it is sound. The checksum only says that the bytes are
 * those that the peer made: a relay must look before it acknowledges, since whatever reads the spool relies on it.
 */
export function payloadFault(bytes: Buffer, head: RecordHead): string | undefined {
  let payload = bytes
  let at = head.payloadStart
  let end = head.end
  if (head.codec === CODEC_ZSTD) {
    try {
      // Never more than the header says, so a frame cannot swell.
      payload = zstdDecompressSync(bytes.subarray(at, end), { maxOutputLength: head.plainBytes })
    } catch {
      return 'payload cannot be decompressed to its length'
    }
    at = 0
    end = payload.length
    if (end !== head.plainBytes) return 'payload is shorter than its length when plain'
  }
  let count = 0
  for (; at + 4 <= end && count < head.count; count++) {
    const length = payload.readUInt32LE(at)
    if (length === 0) return 'length of a message is 0'
    at += 4 + length
  }
  return at === end && count === head.count ? undefined : 'messages do not fill the payload'
}
