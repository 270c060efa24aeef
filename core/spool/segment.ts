import * as fs from 'node:fs'
import * as path from 'node:path'
import { crc32 } from 'node:zlib'
import { type Files, readAll, writeAll } from '../base/files.ts'
import type { RecordHead } from './batch.ts'
import { CRC_SEED, RECORD_LIMIT_BYTES, SEGMENT_HEADER_BYTES } from './constants.ts'
import { scanStep } from './scan.ts'

const MAGIC = 'LOGHOPSG'
const VERSION = 1
const SCAN_WINDOW_BYTES = RECORD_LIMIT_BYTES * 2

export function segmentPath(directory: string, number: number): string {
  return path.join(directory, `${String(number).padStart(12, '0')}.segment`)
}

/** Numbers of the segments in the folder, rising. */
export function listSegments(files: Files, directory: string): number[] {
  const numbers: number[] = []
  for (const name of files.list(directory)) {
    const match = /^(\d{12})\.segment$/.exec(name)
    if (match !== null) numbers.push(Number(match[1]))
  }
  return numbers.sort((a, b) => a - b)
}

/**
 * Creates a segment with its header, not yet synced. What stands there under a number that was never used is left of an earlier failure.
 * @throws the errno; creating it again is safe
 */
export function createSegment(files: Files, directory: string, number: number, spoolId: string, createdUs: number): number {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
  header.write(MAGIC, 0, 'latin1')
  header.writeUInt32LE(VERSION, 12)
  header.writeBigUInt64LE(BigInt(number), 16)
  header.write(spoolId, 24, 16, 'hex')
  header.writeBigUInt64LE(BigInt(createdUs), 40)
  header.writeUInt32LE(crc32(header.subarray(12), CRC_SEED), 8)
  const file = segmentPath(directory, number)
  const fd = files.open(file, fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_TRUNC, 0o600)
  try {
    writeAll(files, fd, header, 0)
  } catch (error) {
    files.close(fd)
    throw error
  }
  return fd
}

/** Whether the file begins with a whole header of this number. */
export function hasSegmentHeader(files: Files, fd: number, number: number): boolean {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
  if (readAll(files, fd, header, SEGMENT_HEADER_BYTES, 0) < SEGMENT_HEADER_BYTES) return false
  return (
    header.toString('latin1', 0, 8) === MAGIC &&
    header.readUInt32LE(8) === crc32(header.subarray(12), CRC_SEED) &&
    header.readUInt32LE(12) === VERSION &&
    Number(header.readBigUInt64LE(16)) === number
  )
}

export interface SegmentScan {
  /** End of the last good record; what stands behind it is torn or bad. */
  readonly goodEnd: number
  readonly size: number
  readonly bad: ReadonlyArray<{ readonly from: number; readonly to: number; readonly reason: string }>
}

/** Reads every record from offset `from` to the end of the file and checks it; `onRecord` gets the heads in order. */
export function scanSegment(files: Files, fd: number, from: number, onRecord: (head: RecordHead) => void): SegmentScan {
  const size = files.stat(fd).size
  const window = Buffer.alloc(Math.min(SCAN_WINDOW_BYTES, Math.max(size, 1)))
  const bad: Array<{ from: number; to: number; reason: string }> = []
  let goodEnd = Math.min(from, size)
  let at = from
  while (at < size) {
    const got = readAll(files, fd, window, Math.min(window.length, size - at), at)
    if (got === 0) break
    const isLast = at + got >= size
    let inWindow = 0
    while (inWindow < got) {
      const step = scanStep(window, inWindow, got, isLast)
      if (step.kind === 'need-more') break
      if (step.kind === 'record') {
        onRecord(step.head)
        inWindow = step.head.end
        goodEnd = at + inWindow
      } else {
        const previous = bad.at(-1)
        if (previous !== undefined && previous.to === at + inWindow) previous.to = at + step.to
        else bad.push({ from: at + inWindow, to: at + step.to, reason: step.reason })
        inWindow = step.to
      }
    }
    at += inWindow
  }
  return { goodEnd, size, bad }
}
