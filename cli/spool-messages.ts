// The messages of a spool, one record in memory at a time.

import { zstdDecompressSync } from 'node:zlib'
import { nodeFiles } from '../core/base/files.ts'
import { printable } from '../core/base/printable.ts'
import { CODEC_ZSTD, type RecordHead } from '../core/spool/batch.ts'
import { PAYLOAD_LIMIT_BYTES, SEGMENT_HEADER_BYTES } from '../core/spool/constants.ts'
import { missingSegments, type SegmentFile, segmentFiles, unreadable } from '../core/spool/inspect.ts'
import { type Read, readFrom } from '../core/spool/inspect-records.ts'
import { payloadFault } from '../core/spool/payload.ts'
import type { Position } from '../core/spool/position.ts'

/** Nothing may start at offset 0 of the formatter's memory. */
export const PAYLOAD_START = 8

export interface PlainRecord {
  readonly head: RecordHead
  /** Where each message of the record begins and ends in the memory that was given; skipped ones are left out. */
  readonly messages: ReadonlyArray<readonly [start: number, end: number]>
  readonly payloadEnd: number
}

/**
 * Records from a position on, with their payload plain in `memory` from PAYLOAD_START on; each is valid until the next.
 * What is no record is told on stderr and passed over.
 * @param memory at least PAYLOAD_START and PAYLOAD_LIMIT_BYTES
 * @param onDamage called for what cannot be shown although it was stored; a torn end was never acknowledged and is not damage
 */
export function* plainRecords(
  directory: string,
  segments: readonly SegmentFile[],
  from: Position,
  isWanted: (head: RecordHead) => boolean,
  memory: Buffer,
  onDamage: () => void,
): Generator<PlainRecord> {
  const tell = (text: string): void => {
    process.stderr.write(`loghop: ${printable(text, 4096)}\n`)
    onDamage()
  }
  const lowest = segmentFiles(nodeFiles, directory)[0]?.number ?? 0
  for (const [first, last] of missingSegments(segments)) {
    if (last < lowest || last < from.segment) continue
    tell(first === last ? `Segment ${first} is missing` : `Segments ${first} to ${last} are missing`)
  }
  for (const read of readFrom(nodeFiles, segments, from)) {
    if (read.kind === 'unreadable') {
      tell(unreadable(read.segment.file, read.error).message)
      continue
    }
    if (read.kind === 'bad') {
      tellBad(read, from, segments.at(-1), tell)
      continue
    }
    if (!isWanted(read.head)) continue
    const record = toPlain(read, memory)
    if (record === undefined)
      tell(
        `${read.segment.file} at ${read.from}: the payload of a record of ${read.head.origin} cannot be read: ${payloadFault(read.bytes, read.head)}`,
      )
    else yield record
  }
}

function tellBad(bad: Read & { kind: 'bad' }, start: Position, last: SegmentFile | undefined, tell: (text: string) => void): void {
  const place = `${bad.segment.file} at ${bad.from}`
  const isStart = start.segment === bad.segment.number && start.offset === bad.from && start.offset > SEGMENT_HEADER_BYTES
  // At the end something may just be being written; verify knows.
  if (bad.isTail && bad.segment === last && !isStart)
    process.stderr.write(`loghop: ${place}: the last ${bad.to - bad.from} bytes are no whole record, not shown\n`)
  else if (isStart) tell(`No record starts at ${bad.segment.number}:${bad.from}; ${bad.to - bad.from} bytes are passed over`)
  else tell(`${place}: ${bad.to - bad.from} bytes are no record (${bad.reason}), passed over`)
}

function toPlain(read: Read & { kind: 'record' }, memory: Buffer): PlainRecord | undefined {
  const { head, bytes } = read
  const packed = bytes.subarray(head.payloadStart, head.end)
  let payload = packed
  if (head.codec === CODEC_ZSTD) {
    try {
      payload = zstdDecompressSync(packed, { maxOutputLength: Math.min(head.plainBytes, PAYLOAD_LIMIT_BYTES) || 1 })
    } catch {
      return undefined
    }
  }
  payload.copy(memory, PAYLOAD_START)
  const payloadEnd = PAYLOAD_START + payload.length
  const messages: Array<readonly [number, number]> = []
  let at = PAYLOAD_START
  for (let index = 0; index < head.skip + head.take; index++) {
    if (at + 4 > payloadEnd) return undefined
    const length = memory.readUInt32LE(at)
    const end = at + 4 + length
    if (length === 0 || end > payloadEnd) return undefined
    if (index >= head.skip) messages.push([at + 4, end])
    at = end
  }
  return { head, messages, payloadEnd }
}
