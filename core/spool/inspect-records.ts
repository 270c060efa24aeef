// Every record of a segment, one window of it in memory at a time.

import { type Files, readAll } from '../base/files.ts'
import { type RecordHead, readRecord } from './batch.ts'
import { BATCH_HEADER_BYTES, ENVELOPE_LIMIT_BYTES, RECORD_LIMIT_BYTES, SEGMENT_HEADER_BYTES } from './constants.ts'
import { openToRead, type SegmentFile } from './inspect.ts'
import type { Position } from './position.ts'
import { scanStep } from './scan.ts'

const WINDOW_BYTES = RECORD_LIMIT_BYTES * 2
// Envelope, header and origin of the batch.
const HEAD_LIMIT_BYTES = ENVELOPE_LIMIT_BYTES + BATCH_HEADER_BYTES + 255
const HEADS_WINDOW_BYTES = 16 << 10

export type Walked =
  /** `bytes` is valid until the next step; the head's offsets are into it, `from` and `to` are those in the file. */
  | { readonly kind: 'record'; readonly bytes: Buffer; readonly head: RecordHead; readonly from: number; readonly to: number }
  /** Bytes that are no record; `isTail` when nothing good stands behind them. */
  | { readonly kind: 'bad'; readonly from: number; readonly to: number; readonly reason: string; readonly isTail: boolean }

/** Room to read in; one is enough for any number of segments, one after the other. */
export function walkWindow(): Buffer {
  return Buffer.allocUnsafeSlow(WINDOW_BYTES)
}

/**
 * Reads the segment from offset `from` to `size` and checks every record.
 * @throws the errno of a failing read
 */
export function* walkSegment(files: Files, fd: number, from: number, size: number, window: Buffer): Generator<Walked> {
  let bad: { from: number; to: number; reason: string } | undefined
  for (let at = from; at < size; ) {
    const got = readAll(files, fd, window, Math.min(window.length, size - at), at)
    if (got === 0) break
    const isLast = at + got >= size
    let inWindow = 0
    while (inWindow < got) {
      const step = scanStep(window, inWindow, got, isLast)
      if (step.kind === 'need-more') break
      if (step.kind === 'bad') {
        if (bad === undefined) bad = { from: at + inWindow, to: at + step.to, reason: step.reason }
        else bad.to = at + step.to
        inWindow = step.to
        continue
      }
      if (bad !== undefined) yield { kind: 'bad', ...bad, isTail: false }
      bad = undefined
      yield { kind: 'record', bytes: window, head: step.head, from: at + inWindow, to: at + step.head.end }
      inWindow = step.head.end
    }
    if (inWindow === 0) break
    at += inWindow
  }
  if (bad !== undefined) yield { kind: 'bad', ...bad, isTail: true }
}

/** What stands in one segment; only heads are read, so that a large spool is listed without reading all of it. */
export interface SegmentSummary {
  readonly records: number
  readonly messages: number
  /** Oldest and newest time at which a batch was received, microseconds since 1970 UTC. */
  readonly firstUs: number | undefined
  readonly lastUs: number | undefined
  /** Bytes that are no record, as far as heads tell. */
  readonly badBytes: number
}

class Summing {
  records = 0
  messages = 0
  firstUs: number | undefined
  lastUs: number | undefined
  badBytes = 0

  add(head: RecordHead): void {
    this.records++
    this.messages += head.take
    this.firstUs = Math.min(this.firstUs ?? head.receivedUs, head.receivedUs)
    this.lastUs = Math.max(this.lastUs ?? head.receivedUs, head.receivedUs)
  }
}

/** @throws the errno of a failing read */
export function summarise(files: Files, segment: SegmentFile): SegmentSummary {
  const fd = openToRead(files, segment.file)
  try {
    const { size } = files.stat(fd)
    const sum = new Summing()
    const window = Buffer.allocUnsafe(HEADS_WINDOW_BYTES)
    for (let at = SEGMENT_HEADER_BYTES; at < size; ) {
      const got = readAll(files, fd, window, Math.min(window.length, size - at), at)
      if (got === 0) break
      let next = 0
      while (next < got && (got - next >= HEAD_LIMIT_BYTES || at + got >= size)) {
        const head = headAt(window.subarray(0, got), next, size - at)
        if (head === undefined) return summariseAll(files, fd, size)
        sum.add(head)
        next = head.end
      }
      at += next
    }
    return sum
  } finally {
    files.close(fd)
  }
}

/** The head at `at` with the checksum of its envelope; the payload may stand outside of `bytes`. */
function headAt(bytes: Buffer, at: number, end: number): RecordHead | undefined {
  try {
    const result = readRecord(bytes, at, end, true)
    return result.kind === 'record' ? result.head : undefined
  } catch (error) {
    // Lengths that lead out of the window are those of no record.
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** Where a head is bad: look for the next good one, as every reader does. */
function summariseAll(files: Files, fd: number, size: number): SegmentSummary {
  const sum = new Summing()
  for (const step of walkSegment(files, fd, SEGMENT_HEADER_BYTES, size, walkWindow())) {
    if (step.kind === 'record') sum.add(step.head)
    else sum.badBytes += step.to - step.from
  }
  return sum
}

export type Read =
  | (Walked & { readonly segment: SegmentFile })
  | { readonly kind: 'unreadable'; readonly segment: SegmentFile; readonly error: unknown }

/** The records of all segments from a position on. A segment that is freed meanwhile is passed over. */
export function* readFrom(files: Files, segments: readonly SegmentFile[], position: Position): Generator<Read> {
  const window = walkWindow()
  for (const segment of segments) {
    if (segment.number < position.segment) continue
    let fd: number
    try {
      fd = openToRead(files, segment.file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') yield { kind: 'unreadable', segment, error }
      continue
    }
    try {
      const from = segment.number === position.segment ? Math.max(position.offset, SEGMENT_HEADER_BYTES) : SEGMENT_HEADER_BYTES
      for (const step of walkSegment(files, fd, from, files.stat(fd).size, window)) yield { ...step, segment }
    } catch (error) {
      yield { kind: 'unreadable', segment, error }
    } finally {
      files.close(fd)
    }
  }
}
