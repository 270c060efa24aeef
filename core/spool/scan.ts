import { type RecordHead, readRecord, recordBytesOf } from './batch.ts'
import { RECORD_LIMIT_BYTES } from './constants.ts'

const MAGIC = Buffer.from('LHR1')

export type ScanStep =
  | { readonly kind: 'record'; readonly head: RecordHead }
  /** Bytes that are no record, up to the next good one, or to the end. */
  | { readonly kind: 'bad'; readonly to: number; readonly reason: string }
  /** The record at this place needs so many bytes in all; at the end of the file it is torn. */
  | { readonly kind: 'need-more'; readonly bytes: number }

/**
 * What stands at `bytes[at..end]`. After a bad record it looks for the next good one, so that one flipped bit costs one record.
 * Inside a record whose envelope holds it does not look: a message may contain what looks like a record of another host.
 * @param isLast nothing follows `end` in the file: a record that goes on behind it is torn, not merely cut by the window
 * @param isOurs as for readRecord
 */
export function scanStep(bytes: Buffer, at: number, end: number, isLast: boolean, isOurs = false): ScanStep {
  const result = readRecord(bytes, at, end, isOurs)
  if (result.kind === 'record') return result
  if (result.kind === 'need-more' && !isLast) return result
  const reason = result.kind === 'malformed' ? result.reason : 'torn'
  const whole = recordBytesOf(bytes, at, end)
  if (whole !== undefined && (at + whole <= end || isLast)) return { kind: 'bad', to: Math.min(at + whole, end), reason }
  for (let next = bytes.indexOf(MAGIC, at + 1); next !== -1 && next < end; next = bytes.indexOf(MAGIC, next + 1)) {
    const found = readRecord(bytes, next, end)
    if (found.kind === 'record') return { kind: 'bad', to: next, reason }
    // A whole record may stand behind this window: stop here and let the caller read on from it.
    if (found.kind === 'need-more' && !isLast && found.bytes <= RECORD_LIMIT_BYTES) return { kind: 'bad', to: next, reason }
  }
  // The magic may be cut by the window's end.
  return { kind: 'bad', to: isLast ? end : Math.max(at + 1, end - (MAGIC.length - 1)), reason }
}
