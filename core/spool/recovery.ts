import * as fs from 'node:fs'
import * as path from 'node:path'
import { readDocument } from '../base/checked-document.ts'
import { errnoOf } from '../base/errors.ts'
import { type Files, readAll, writeAll } from '../base/files.ts'
import type { RecordHead } from './batch.ts'
import { SEGMENT_HEADER_BYTES } from './constants.ts'
import type { Position } from './position.ts'
import { hasSegmentHeader, listSegments, scanSegment, segmentPath } from './segment.ts'
import { Streams, type StreamsSnapshot } from './streams.ts'

/** What recovery found and did, for the log and for `loghop spool verify`. */
export interface Finding {
  readonly kind: 'torn-tail' | 'bad-record' | 'bad-segment' | 'damaged-document'
  readonly file: string
  readonly bytes: number
  readonly text: string
}

export interface Recovered {
  readonly segments: Map<number, number>
  readonly streams: Streams
  readonly findings: Finding[]
  /** Messages that the spool has had in all its life, and whether that rests on a sound document. */
  readonly messages: number
  readonly isCounted: boolean
  /** The highest number that a segment has had, as far as is known; none below it is used again. */
  readonly highest: number
}

export interface StreamsDocument {
  readonly position: Position
  readonly streams: StreamsSnapshot
}

export const STREAMS_FILE = 'streams'

/** Keeps bytes that were no record as they were found, beside the spool. */
export function quarantine(files: Files, directory: string, segment: number, fd: number, from: number, to: number): string {
  const folder = path.join(directory, 'quarantine')
  files.makeDirectory(folder, 0o700)
  const file = path.join(folder, `${String(segment).padStart(12, '0')}-${from}-${to}`)
  const bytes = Buffer.alloc(to - from)
  const out = files.open(file, fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_TRUNC, 0o600)
  try {
    writeAll(files, out, bytes.subarray(0, readAll(files, fd, bytes, bytes.length, from)), 0)
    files.sync(out)
  } finally {
    files.close(out)
  }
  files.syncDirectory(folder)
  files.syncDirectory(directory)
  return file
}

const COPY_BYTES = 1 << 20

/**
 * Makes the pages dirty again. When a sync had failed before the process ended, they count as clean and are not on the disk, and the next sync
 * would say that all is well.
 */
function writeAgain(files: Files, fd: number, from: number, to: number): void {
  const bytes = Buffer.alloc(Math.min(COPY_BYTES, to))
  for (let at = from === SEGMENT_HEADER_BYTES ? 0 : from; at < to; at += bytes.length)
    writeAll(files, fd, bytes.subarray(0, readAll(files, fd, bytes, Math.min(bytes.length, to - at), at)), at)
}

/**
 * Copies a tail to quarantine before it is cut. One that is merely torn was never acknowledged, but a flipped bit in the length of the last
 * record looks the same; so it is kept too, unless the disk is full, where the daemon has to start all the same.
 */
function keepTail(files: Files, directory: string, segment: number, fd: number, bad: { from: number; to: number; reason: string }): void {
  try {
    quarantine(files, directory, segment, fd, bad.from, bad.to)
  } catch (error) {
    if (bad.reason !== 'torn' || errnoOf(error) === undefined) throw error
  }
}

/**
 * Brings the segments back to whole records and the streams up to date, as FORMAT.md's crash table says.
 * Reads the last segment, and of the others those that `streams` does not cover.
 * @throws the errno of a failing read, cut or sync; running it again is safe
 */
export function recover(files: Files, directory: string): Recovered {
  const folder = path.join(directory, 'segments')
  const findings: Finding[] = []
  const segments = new Map<number, number>()
  const document = readDocument(files, path.join(directory, STREAMS_FILE), 'streams')
  let covered: Position = { segment: 0, offset: 0 }
  let streams = new Streams()
  if (document.kind === 'read') {
    const content = document.content as StreamsDocument
    covered = content.position
    streams = Streams.restore(content.streams)
  } else if (document.kind === 'damaged') {
    findings.push({ kind: 'damaged-document', file: STREAMS_FILE, bytes: 0, text: `${document.reason}; rebuilt from the records kept` })
  }
  let messages = covered.messages ?? 0
  let isCounted = covered.messages !== undefined || document.kind === 'absent'
  const numbers = listSegments(files, folder)
  if (document.kind === 'absent' && numbers.length > 0 && numbers[0]! > 1) {
    // It is written before the first segment is freed.
    findings.push({ kind: 'damaged-document', file: STREAMS_FILE, bytes: 0, text: 'it is gone; rebuilt from the records kept' })
  }
  const onRecord = (head: RecordHead): void => {
    messages += head.take
    streams.add(head.origin, head.stream, head.first + head.skip, head.first + head.skip + head.take - 1)
  }
  for (const number of numbers) {
    const isLast = number === numbers.at(-1)
    const file = segmentPath(folder, number)
    if (!isLast && number < covered.segment) {
      segments.set(number, files.statPath(file)?.size ?? 0)
      continue
    }
    const fd = files.open(file, fs.constants.O_RDWR, 0)
    try {
      if (!hasSegmentHeader(files, fd, number)) {
        const { size } = files.stat(fd)
        // Behind a header that was damaged later stand records that had been acknowledged; while the segment is made there are none.
        const isKept = !isLast || size > SEGMENT_HEADER_BYTES
        if (isKept) quarantine(files, directory, number, fd, 0, size)
        findings.push({ kind: 'bad-segment', file, bytes: size, text: `no whole header: ${isKept ? 'moved to quarantine' : 'removed'}` })
        files.unlink(file)
        continue
      }
      // Offsets behind the covered position only; before it the intervals are already in the document.
      const isCovered = number === covered.segment && covered.offset > SEGMENT_HEADER_BYTES && covered.offset <= files.stat(fd).size
      const from = isCovered ? covered.offset : SEGMENT_HEADER_BYTES
      // Read once more, what the document has counted would count twice.
      if (!isCovered && number <= covered.segment) isCounted = false
      const scan = scanSegment(files, fd, from, onRecord)
      for (const bad of scan.bad) {
        if (isLast && bad.to === scan.size) {
          keepTail(files, directory, number, fd, bad)
          files.truncate(fd, bad.from)
          findings.push({ kind: 'torn-tail', file, bytes: bad.to - bad.from, text: `cut at ${bad.from}: ${bad.reason}` })
        } else {
          // The follower that comes by quarantines and counts it; here it is only told.
          findings.push({ kind: 'bad-record', file, bytes: bad.to - bad.from, text: `at ${bad.from}: ${bad.reason}` })
        }
      }
      // It may have been written by a process that was killed before its sync.
      writeAgain(files, fd, from, files.stat(fd).size)
      files.sync(fd)
      segments.set(number, files.stat(fd).size)
    } finally {
      files.close(fd)
    }
  }
  files.syncDirectory(folder)
  if (covered.segment > 0 && !segments.has(covered.segment)) {
    isCounted = false
    findings.push({ kind: 'bad-segment', file: segmentPath(folder, covered.segment), bytes: 0, text: 'it is gone' })
  }
  return { segments, streams, findings, messages, isCounted, highest: Math.max(numbers.at(-1) ?? 0, covered.segment) }
}
