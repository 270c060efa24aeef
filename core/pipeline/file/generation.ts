// One file among those that a path has had, and how far it has been read.

import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { crc32 } from 'node:zlib'

const PRINT_BYTES = 256
const CRC_SEED = 0x4c6f6768

export interface Generation {
  /** Device, inode and, where the system tells it, time of birth. */
  readonly id: string
  /** Where it was seen last. */
  readonly path: string
  readonly offset: number
  /** Behind `offset` stands the rest of a line that was cut. */
  readonly isCut: boolean
  /** CRC of the first bytes, up to 256 of those that were read. */
  readonly head: number
  /** CRC of the last bytes before `offset`, up to 256. */
  readonly tail: number
  /** The copy that was made before a truncation: nobody writes to it any more. */
  readonly isCopy: boolean
  /** All that it had was read when it was looked at last. */
  readonly isAtEnd: boolean
}

export interface FoundFile {
  readonly id: string
  readonly path: string
  readonly size: number
  readonly bornNs: bigint
  readonly changedNs: bigint
}

/** A regular file, or undefined when there is none. */
export function findFile(path: string): FoundFile | undefined {
  try {
    return describe(path, fs.statSync(path, { bigint: true, throwIfNoEntry: false }))
  } catch {
    // A directory on the way that is none, a link that leads in a circle.
    return undefined
  }
}

export function describeOpen(path: string, fd: number): FoundFile | undefined {
  return describe(path, fs.fstatSync(fd, { bigint: true }))
}

function describe(path: string, stat: fs.BigIntStats | undefined): FoundFile | undefined {
  if (stat === undefined || !stat.isFile()) return undefined
  // The birth tells a new file from the one whose inode it was given. A file system that knows none says 0.
  const id = `${stat.dev}:${stat.ino}:${stat.birthtimeNs}`
  return { id, path, size: Number(stat.size), bornNs: stat.birthtimeNs, changedNs: stat.mtimeNs }
}

/** Short name of a file for the list of those that are known. */
export function shortId(found: Pick<FoundFile, 'id'>): string {
  return createHash('sha1').update(found.id).digest('hex').slice(0, 12)
}

export function beginning(found: FoundFile): Generation {
  return { id: found.id, path: found.path, offset: 0, isCut: false, head: 0, tail: 0, isCopy: false, isAtEnd: false }
}

function crcAt(fd: number, from: number, length: number): number | undefined {
  if (length === 0) return 0
  const bytes = Buffer.alloc(length)
  const got = fs.readSync(fd, bytes, 0, length, from)
  return got === length ? crc32(bytes, CRC_SEED) : undefined
}

/**
 * The generation as it is once read up to `at` in `bytes`, which stand at `base` in the file and begin with `tailBytes` bytes before its offset.
 * The bytes that were read, not the file: it may have been cut meanwhile.
 */
export function readTo(generation: Generation, bytes: Uint8Array, base: number, at: number, isCut: boolean): Generation {
  const offset = base + at
  const length = Math.min(PRINT_BYTES, offset)
  const head = generation.offset >= PRINT_BYTES ? generation.head : crc32(bytes.subarray(0, length), CRC_SEED)
  return { ...generation, offset, isCut, isAtEnd: false, head, tail: crc32(bytes.subarray(at - length, at), CRC_SEED) }
}

/** The generation from `offset` on, all before it passed over. */
export function skippedTo(generation: Generation, fd: number, offset: number): Generation {
  const length = Math.min(PRINT_BYTES, offset)
  return { ...generation, offset, head: crcAt(fd, 0, length) ?? 0, tail: crcAt(fd, offset - length, length) ?? 0 }
}

/** How many bytes before `offset` the print `tail` covers. */
export function tailBytes(generation: Generation): number {
  return Math.min(PRINT_BYTES, generation.offset)
}

export function isTail(generation: Generation, bytes: Uint8Array): boolean {
  return bytes.length === 0 || crc32(bytes, CRC_SEED) === generation.tail
}

export type Match = 'same' | 'shorter' | 'other'

/**
 * Whether the file begins with all that was read of the generation: `same`. `shorter`: it ends before, and its first bytes are those of the generation.
 * Where nothing was read, everything is the same.
 */
export function match(generation: Generation, fd: number, size: number): Match {
  const length = tailBytes(generation)
  if (size < length || crcAt(fd, 0, length) !== generation.head) return 'other'
  if (size < generation.offset) return 'shorter'
  return crcAt(fd, generation.offset - length, length) === generation.tail ? 'same' : 'other'
}

/** Whether two files begin alike, as far as both have bytes. */
export function beginAlike(one: number, other: number): boolean {
  const [first, second] = [one, other].map((fd) => {
    const bytes = Buffer.alloc(PRINT_BYTES)
    return bytes.subarray(0, fs.readSync(fd, bytes, 0, PRINT_BYTES, 0))
  })
  const length = Math.min(first!.length, second!.length)
  return first!.subarray(0, length).equals(second!.subarray(0, length))
}
