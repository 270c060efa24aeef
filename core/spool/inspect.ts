// A spool as a person looks at it: from outside, beside the daemon that may have it open. Nothing here writes.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { errnoOf, LoghopError } from '../base/errors.ts'
import { type Files, readAll } from '../base/files.ts'
import { SEGMENT_HEADER_BYTES } from './constants.ts'
import type { Position } from './position.ts'
import { hasSegmentHeader, listSegments, segmentPath } from './segment.ts'

// Without waiting: a named pipe among the files of a spool is found to be none, rather than waited for.
const READ_FLAGS = fs.constants.O_RDONLY | fs.constants.O_NONBLOCK

export function isSpool(files: Files, directory: string): boolean {
  try {
    return files.statPath(path.join(directory, 'segments'))?.isDirectory === true
  } catch {
    return false // a file, or a directory that this user may not enter
  }
}

/** @throws {LoghopError} it is not there, may not be read, or is no spool */
export function checkIsSpool(files: Files, directory: string): void {
  checkIsDirectory(files, directory)
  if (isSpool(files, directory)) {
    listOrExplain(files, path.join(directory, 'segments'))
    return
  }
  throw new LoghopError(
    'NO_SPOOL',
    `${directory} is no spool: it has no directory "segments"`,
    `Name the directory that stands as "spool: directory" in agent.yaml or relay.yaml; "loghop spool ls ${directory}" looks for spools in it`,
  )
}

/** @throws {LoghopError} it is no directory, or may not be read */
export function checkIsDirectory(files: Files, directory: string): void {
  listOrExplain(files, directory)
}

/** @throws {LoghopError} */
export function listOrExplain(files: Files, directory: string): string[] {
  try {
    return files.list(directory)
  } catch (error) {
    throw unreadable(directory, error)
  }
}

/** The failure of reading a file or directory of a spool, for a person. */
export function unreadable(place: string, error: unknown): LoghopError {
  const cannot = (sentence: string, remedy: string) =>
    new LoghopError('UNREADABLE', `Cannot read ${place}: ${sentence}`, remedy, { cause: error })
  switch (errnoOf(error)) {
    case 'ENOENT':
      return cannot('it is not there', 'Check the path; it stands as "spool: directory" in agent.yaml or relay.yaml')
    case 'ENOTDIR':
      return cannot('it is not a directory', 'Name the directory of the spool, not a file in it')
    case 'EACCES':
    case 'EPERM':
      return cannot('this user may not read it', 'Run this as the user that runs the daemon, who owns the spool')
    case 'EIO':
      return cannot('the disk gives an error', 'Look for it in the log of the kernel, and copy what can be read to another disk')
    default:
      return cannot(error instanceof Error ? error.message : String(error), 'Check the file and the disk it is on')
  }
}

/** Opens a file for reading. @throws the errno, or EINVAL for what is no plain file */
export function openToRead(files: Files, file: string): number {
  const fd = files.open(file, READ_FLAGS, 0)
  if (files.stat(fd).isFile) return fd
  files.close(fd)
  throw Object.assign(new Error('it is not a plain file'), { code: 'EINVAL' })
}

export interface SegmentFile {
  readonly number: number
  readonly file: string
  readonly bytes: number
}

/** The segments as they stand now, oldest first. One that is freed meanwhile is left out. @throws {LoghopError} */
export function segmentFiles(files: Files, directory: string): SegmentFile[] {
  const folder = path.join(directory, 'segments')
  listOrExplain(files, folder)
  return listSegments(files, folder).flatMap((number) => {
    const file = segmentPath(folder, number)
    const stat = files.statPath(file)
    return stat === undefined ? [] : [{ number, file, bytes: stat.size }]
  })
}

/** Numbers between the lowest and the highest segment of which there is no file: at most `limit` ranges of them. */
export function missingSegments(segments: readonly SegmentFile[], limit = 1000): Array<readonly [from: number, to: number]> {
  const missing: Array<readonly [number, number]> = []
  for (let index = 1; index < segments.length && missing.length < limit; index++) {
    const [before, after] = [segments[index - 1]!.number, segments[index]!.number]
    if (after > before + 1) missing.push([before + 1, after - 1])
  }
  return missing
}

export interface SegmentHeader {
  /** Its checksum, version and number are right; what else is said holds only then. */
  readonly isWhole: boolean
  /** Id of the spool that made it, 32 hex digits. */
  readonly spoolId: string
  readonly createdUs: number
}

export function readSegmentHeader(files: Files, fd: number, number: number): SegmentHeader {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
  readAll(files, fd, header, SEGMENT_HEADER_BYTES, 0)
  return {
    isWhole: hasSegmentHeader(files, fd, number),
    spoolId: header.toString('hex', 24, 40),
    createdUs: Number(header.readBigUInt64LE(40)),
  }
}

/** Bytes of records between a position and the end. */
export function bytesBehind(segments: readonly SegmentFile[], position: Position): number {
  let bytes = 0
  for (const segment of segments) {
    if (segment.number > position.segment) bytes += Math.max(0, segment.bytes - SEGMENT_HEADER_BYTES)
    else if (segment.number === position.segment) bytes += Math.max(0, segment.bytes - position.offset)
  }
  return bytes
}

export function oldestPosition(segments: readonly SegmentFile[]): Position {
  return { segment: segments[0]?.number ?? 1, offset: SEGMENT_HEADER_BYTES }
}

export function endPosition(segments: readonly SegmentFile[]): Position {
  const last = segments.at(-1)
  return last === undefined ? oldestPosition(segments) : { segment: last.number, offset: Math.max(last.bytes, SEGMENT_HEADER_BYTES) }
}

export function positionText(position: Position): string {
  return `${position.segment}:${position.offset}`
}
