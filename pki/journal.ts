// The authority's only memory: lines that are appended under a lock, each chained to the one before. FORMAT.md has the bytes.

import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { errnoOf, LoghopError } from '../core/base/errors.ts'
import { type Files, readAll, writeAll } from '../core/base/files.ts'
import type { Act } from './acts.ts'

export const JOURNAL_FILE = 'journal'

const LF = 0x0a
const DIGEST_CHARACTERS = 64
const FIRST_DIGEST = '0'.repeat(DIGEST_CHARACTERS)
// Ours: the longest line is an issue with a hundred names, under 64 KiB.
const LINE_BYTES = 1 << 20
const CHUNK_BYTES = 4 << 20

export interface JournalLine {
  readonly act: Act
  readonly digest: string
}

function digestOf(before: string, json: string): string {
  return createHash('sha256').update(before).update(json).digest('hex')
}

/** @param before digest of the line before; undefined for the first */
export function journalLine(before: string | undefined, act: Act): { text: string; digest: string } {
  const json = JSON.stringify(act)
  const digest = digestOf(before ?? FIRST_DIGEST, json)
  return { text: `${digest} ${json}\n`, digest }
}

/** Undefined when the line (without its LF) does not follow the one with that digest. */
function readLine(line: string, before: string): JournalLine | undefined {
  const json = line.slice(DIGEST_CHARACTERS + 1)
  const digest = line.slice(0, DIGEST_CHARACTERS)
  if (line[DIGEST_CHARACTERS] !== ' ' || digestOf(before, json) !== digest) return undefined
  return { act: JSON.parse(json) as Act, digest }
}

type Found =
  | { readonly kind: 'sound' }
  /** A rest that no line is: what a crash left, or what another process is writing just now. */
  | { readonly kind: 'torn'; readonly at: number }
  | { readonly kind: 'broken'; readonly at: number }

/**
 * Reads what is new since the last time, and appends. The caller has the lock when it appends or cuts; reading needs none.
 * A line counts once it is whole: readers see no half of another's append.
 */
export class Journal {
  readonly file: string
  readonly #files: Files
  readonly #onRestart: () => void
  readonly #onAct: (act: Act) => void
  #digest = FIRST_DIGEST
  #offset = 0
  #inode = 0
  #lines = 0

  /**
   * @param onAct called for each line in order
   * @param onRestart the journal is another one than before (a backup was put back): forget everything, the lines come again
   */
  constructor(directory: string, files: Files, onAct: (act: Act) => void, onRestart: () => void) {
    this.file = path.join(directory, JOURNAL_FILE)
    this.#files = files
    this.#onAct = onAct
    this.#onRestart = onRestart
  }

  get lines(): number {
    return this.#lines
  }

  /** @throws {LoghopError} PKI_READ, PKI_JOURNAL when a line was changed or removed */
  read(): void {
    this.#withFile(fs.constants.O_RDONLY, (fd) => this.#catchUp(fd))
  }

  /** The same under the lock: a torn rest is cut off, since nothing was handed out for it. */
  readAndMend(): void {
    this.#withFile(fs.constants.O_RDWR, (fd) => {
      if (this.#catchUp(fd).kind !== 'torn') return
      this.#files.truncate(fd, this.#offset)
      this.#files.sync(fd)
    })
  }

  /**
   * Appends one act in one write, and syncs. To be called under the lock, after `readAndMend`.
   * @throws {LoghopError} PKI_WRITE; the line was taken away again and does not count
   */
  append(act: Act): void {
    const { text, digest } = journalLine(this.#lines === 0 ? undefined : this.#digest, act)
    const bytes = Buffer.from(text)
    this.#withFile(fs.constants.O_RDWR, (fd) => {
      try {
        writeAll(this.#files, fd, bytes, this.#offset)
        this.#files.sync(fd)
      } catch (error) {
        this.#takeAway(fd)
        throw error
      }
    })
    this.#digest = digest
    this.#offset += bytes.length
    this.#lines++
    this.#onAct(act)
  }

  #takeAway(fd: number): void {
    try {
      this.#files.truncate(fd, this.#offset)
      this.#files.sync(fd)
    } catch {
      // The error that led here is the one to tell; the next act finds the rest and cuts it.
    }
  }

  #withFile(flags: number, work: (fd: number) => void): void {
    try {
      const fd = this.#files.open(this.file, flags, 0o600)
      try {
        work(fd)
      } finally {
        this.#files.close(fd)
      }
    } catch (error) {
      if (error instanceof LoghopError) throw error
      const isReading = flags === fs.constants.O_RDONLY || errnoOf(error) === 'ENOENT'
      const sentence = `Cannot ${isReading ? 'read' : 'write'} ${this.file}: ${errnoOf(error) ?? 'unexpected error'}`
      if (isReading)
        throw new LoghopError('PKI_READ', sentence, 'Check --directory, and run as the user that owns the authority', { cause: error })
      throw new LoghopError('PKI_WRITE', `${sentence}; nothing was done`, 'Make space, or mend the file system, and run it again', {
        cause: error,
      })
    }
  }

  #catchUp(fd: number): Found {
    const { inode, size } = this.#files.stat(fd)
    let found: Found = { kind: 'broken', at: this.#offset }
    if (inode === this.#inode && size >= this.#offset) {
      if (size === this.#offset) return { kind: 'sound' }
      found = this.#scan(fd, size)
    }
    // Another file than before, or a line that we had read was taken away again by its writer: once more from the first line.
    if (found.kind === 'broken') {
      if (this.#lines > 0) this.#onRestart()
      this.#inode = inode
      this.#digest = FIRST_DIGEST
      this.#offset = 0
      this.#lines = 0
      found = this.#scan(fd, size)
    }
    if (found.kind === 'broken') {
      const sentence = `Cannot use ${this.file}: line ${this.#lines + 1} (byte ${found.at}) is not the one that was written there, the journal was changed or damaged`
      throw new LoghopError('PKI_JOURNAL', sentence, 'Restore the whole directory from its backup, and find out who or what changed it')
    }
    return found
  }

  #scan(fd: number, size: number): Found {
    let rest: Buffer = Buffer.alloc(0)
    for (let at = this.#offset; at < size; ) {
      const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, size - at))
      const got = readAll(this.#files, fd, chunk, chunk.length, at)
      if (got === 0) break
      at += got
      const bytes = rest.length === 0 ? chunk.subarray(0, got) : Buffer.concat([rest, chunk.subarray(0, got)])
      let from = 0
      for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, from)) {
        const line = readLine(bytes.toString('utf8', from, end), this.#digest)
        if (line === undefined) return this.#judge(bytes.subarray(from), at >= size)
        this.#digest = line.digest
        this.#offset += end + 1 - from
        this.#lines++
        this.#onAct(line.act)
        from = end + 1
      }
      rest = bytes.subarray(from)
      if (rest.length > LINE_BYTES) return { kind: 'broken', at: this.#offset }
    }
    return rest.length === 0 ? { kind: 'sound' } : this.#judge(rest, true)
  }

  /** What stands at the end and is no line. A lost line is never taken for a torn one when its bytes were there once. */
  #judge(rest: Buffer, isToTheEnd: boolean): Found {
    const broken: Found = { kind: 'broken', at: this.#offset }
    const torn: Found = { kind: 'torn', at: this.#offset }
    const end = rest.indexOf(LF)
    // A file system may keep the size of a write and lose some of its bytes in a power cut: they read as zeros.
    if (end >= 0) return isToTheEnd && end === rest.length - 1 && rest.includes(0) ? torn : broken
    // All there but the LF itself, which has become another byte.
    return readLine(rest.toString('utf8', 0, rest.length - 1), this.#digest) === undefined ? torn : broken
  }
}
