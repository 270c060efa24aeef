// quarantine/: bytes that were no valid record, kept as they were found, each file named after where they stood.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { type Files, readAll, writeAll } from '../base/files.ts'
import { openToRead } from './inspect.ts'

const COPY_BYTES = 1 << 20
const KEEP_FLAGS = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL

export interface Kept {
  readonly file: string
  readonly bytes: number
  /** Where they stood; undefined for a document. */
  readonly range: { readonly segment: number; readonly from: number; readonly to: number } | undefined
}

function folderOf(directory: string): string {
  return path.join(directory, 'quarantine')
}

/** @throws the errno of listing */
export function listKept(files: Files, directory: string): Kept[] {
  const folder = folderOf(directory)
  if (files.statPath(folder) === undefined) return []
  return files
    .list(folder)
    .sort()
    .map((name) => {
      const file = path.join(folder, name)
      const match = /^(\d{12})-(\d+)-(\d+)(?:\.\d+)?$/.exec(name)
      const range = match === null ? undefined : { segment: Number(match[1]), from: Number(match[2]), to: Number(match[3]) }
      return { file, bytes: files.statPath(file)?.size ?? 0, range }
    })
}

/** Whether the bytes `from..to` of a segment stand in quarantine, in one file or in several, just as they stand in the segment. */
export function isKept(files: Files, kept: readonly Kept[], segment: number, fd: number, from: number, to: number): boolean {
  let at = from
  while (at < to) {
    const next = kept.find(
      ({ file, range }) =>
        range !== undefined &&
        range.segment === segment &&
        range.from <= at &&
        range.to > at &&
        isEqual(files, fd, at, file, at - range.from, Math.min(range.to, to) - at),
    )
    if (next === undefined) return false
    at = next.range!.to
  }
  return true
}

function isEqual(files: Files, fd: number, at: number, file: string, from: number, length: number): boolean {
  let other: number
  try {
    other = openToRead(files, file)
  } catch {
    return false
  }
  const [ours, theirs] = [Buffer.allocUnsafe(Math.min(COPY_BYTES, length)), Buffer.allocUnsafe(Math.min(COPY_BYTES, length))]
  try {
    for (let done = 0; done < length; done += ours.length) {
      const wanted = Math.min(ours.length, length - done)
      if (readAll(files, fd, ours, wanted, at + done) < wanted || readAll(files, other, theirs, wanted, from + done) < wanted) return false
      if (!ours.subarray(0, wanted).equals(theirs.subarray(0, wanted))) return false
    }
    return true
  } catch {
    return false
  } finally {
    files.close(other)
  }
}

/**
 * Copies `from..to` of an open file into quarantine, durably, under a name that nothing has yet.
 * @returns the new file
 * @throws the errno of the failing call; the original is untouched
 */
export function keep(files: Files, directory: string, name: string, fd: number, from: number, to: number): string {
  const folder = folderOf(directory)
  files.makeDirectory(folder, 0o700)
  let file = path.join(folder, name)
  for (let copy = 2; files.statPath(file) !== undefined; copy++) file = path.join(folder, `${name}.${copy}`)
  const out = files.open(file, KEEP_FLAGS, 0o600)
  try {
    const bytes = Buffer.allocUnsafe(Math.min(COPY_BYTES, Math.max(1, to - from)))
    for (let at = from; at < to; ) {
      const got = readAll(files, fd, bytes, Math.min(bytes.length, to - at), at)
      if (got === 0) throw new Error(`the file ends at ${at}, ${to} bytes were there`)
      writeAll(files, out, bytes.subarray(0, got), at - from)
      at += got
    }
    files.sync(out)
  } catch (error) {
    files.unlink(file)
    throw error
  } finally {
    files.close(out)
  }
  files.syncDirectory(folder)
  files.syncDirectory(directory)
  return file
}

/** Name under which a part of a segment is kept. */
export function rangeName(segment: number, from: number, to: number): string {
  return `${String(segment).padStart(12, '0')}-${from}-${to}`
}
