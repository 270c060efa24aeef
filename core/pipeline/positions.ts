// How far each source has been read, in step with the spool: docs/decisions/0011-source-positions.md.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { crc32 } from 'node:zlib'
import { readDocument, writeDocument, writeDocumentLater } from '../base/checked-document.ts'
import { errnoOf } from '../base/errors.ts'
import { type Files, readAll, writeAll } from '../base/files.ts'
import type { Log } from '../base/log.ts'
import type { Spool } from '../spool/spool.ts'
import type { Intake } from './intake.ts'

const DOCUMENT = 'positions'
const JOURNAL_PREFIX = 'positions.'
const CRC_SEED = 0x4c6f6768
/** From here on the journal is folded into the document. */
const JOURNAL_FOLD_BYTES = 1 << 20
/** What is read of a journal at most; what is behind it was never written by this program. */
const JOURNAL_LIMIT_BYTES = 64 << 20
const SYNC_MS = 1000

interface Base {
  /** Journals of this generation and later ones count. */
  readonly generation: number
  readonly positions: Readonly<Record<string, unknown>>
}

interface Header {
  readonly origin: string
  readonly stream: string
}

/** The messages `first` to `first + count - 1` of the stream bring the source to the position. Without messages it holds by itself. */
interface Entry {
  readonly key: string
  readonly position: unknown
  readonly first: number
  readonly count: number
}

export type HasHad = (origin: string, stream: string, from: number, to: number) => boolean

function encodeLine(content: Header | Entry): Buffer {
  const json = JSON.stringify(content)
  return Buffer.from(`${crc32(json, CRC_SEED).toString(16).padStart(8, '0')} ${json}\n`)
}

/** The whole lines of a journal; what follows the first that is not whole is a torn end. */
function* decodeLines(bytes: Buffer): Generator<unknown> {
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0x0a, at)
    if (end === -1) return
    const line = bytes.toString('utf8', at, end)
    if (crc32(line.slice(9), CRC_SEED).toString(16).padStart(8, '0') !== line.slice(0, 8)) return
    yield JSON.parse(line.slice(9))
    at = end + 1
  }
}

/**
 * Applies a journal to the positions: an entry counts when the spool has had its messages. Behind one of a source that does not count none of that source
 * does: a power cut may keep a later batch and take an earlier one, and it is better to read one twice than to skip the other.
 */
export function replayJournal(bytes: Buffer, positions: Map<string, unknown>, hasHad: HasHad): void {
  let header: Header | undefined
  const void_ = new Set<string>()
  for (const line of decodeLines(bytes)) {
    if (header === undefined) {
      header = line as Header
      continue
    }
    const { key, position, first, count } = line as Entry
    if (void_.has(key)) continue
    if (count > 0 && !hasHad(header.origin, header.stream, first, first + count - 1)) void_.add(key)
    else if (position === null) positions.delete(key)
    else positions.set(key, position)
  }
}

/** The positions of an agent's sources; the holder of the spool's lock has them open. */
export class Positions {
  readonly #files: Files
  readonly #directory: string
  readonly #spool: Spool
  readonly #intake: Intake
  readonly #log: Log
  readonly #positions = new Map<string, unknown>()
  /** Positions that moved without a message. */
  readonly #moved = new Set<string>()
  readonly #timer: NodeJS.Timeout
  #generation = 0
  #fd = -1
  #bytes = 0
  #isUnsynced = false
  #working: Promise<void> | undefined
  #trouble = ''

  /** @throws the errno of a failing read or write. Nothing may have been appended to the spool since it was opened. */
  constructor(files: Files, directory: string, spool: Spool, intake: Intake, log: Log) {
    this.#files = files
    this.#directory = directory
    this.#spool = spool
    this.#intake = intake
    this.#log = log
    this.#restore()
    this.#timer = setInterval(() => void this.#work(), SYNC_MS)
    this.#timer.unref()
  }

  get(key: string): unknown {
    return this.#positions.get(key)
  }

  /** Keys that begin so. */
  keys(prefix: string): string[] {
    return [...this.#positions.keys()].filter((key) => key.startsWith(prefix))
  }

  /**
   * Stores messages that bring the source to `position`; both hold or neither, also when the process is killed.
   * @returns false when the source has to wait and come again; nothing is stored then
   */
  store(key: string, position: unknown, bytes: Buffer, start: number, end: number, count: number, receivedUs: number): boolean {
    const before = this.#bytes
    const result = this.#intake.storeOrWait(bytes, start, end, count, receivedUs, (first) => this.#append({ key, position, first, count }))
    if (result !== 'stored') {
      // Others may be given these sequences.
      if (this.#bytes !== before) this.#files.truncate(this.#fd, before)
      this.#bytes = before
      this.#tell(result)
      return false
    }
    this.#tell('')
    this.#positions.set(key, position)
    this.#moved.delete(key)
    if (this.#bytes > JOURNAL_FOLD_BYTES) void this.#work()
    return true
  }

  /** Room for a message, before it is read: a source that can wait does so rather than fill the last of the spool. */
  hasRoom(bytes: number): boolean {
    return this.#intake.hasRoom(bytes)
  }

  /** The source has passed what is no message of ours, or is gone (null). Kept within a second: until then it may be passed again. */
  move(key: string, position: unknown): void {
    if (position === null) this.#positions.delete(key)
    else this.#positions.set(key, position)
    this.#moved.add(key)
  }

  /** Folds the journal into the document. The sources have stopped. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#working
    await this.#spool.commit()
    try {
      for (const key of this.#moved) this.#append({ key, position: this.#positions.get(key) ?? null, first: 0, count: 0 })
      this.#writeBase(this.#generation + 1)
      this.#removeBelow(this.#generation + 1)
    } catch (error) {
      // The journal still says it all.
      if (errnoOf(error) === undefined) throw error
      this.#tell((error as Error).message)
    } finally {
      this.#files.close(this.#fd)
    }
  }

  #restore(): void {
    const document = readDocument(this.#files, this.#path(DOCUMENT), DOCUMENT)
    let from = 0
    if (document.kind === 'read') {
      const base = document.content as Base
      from = base.generation
      for (const [key, position] of Object.entries(base.positions)) this.#positions.set(key, position)
    } else if (document.kind === 'damaged') {
      this.#log.error(
        'positions-damaged',
        `Cannot read how far the sources were: ${document.reason}. They begin anew, and what had been read may come twice`,
      )
    }
    const hasHad: HasHad = (origin, stream, first, last) => this.#spool.had.missing(origin, stream, first, last).length === 0
    const generations = this.#generations().filter((generation) => generation >= from)
    for (const generation of generations) replayJournal(this.#read(generation), this.#positions, hasHad)
    // From here on what did not count is gone: its sequences are given to others.
    const next = Math.max(from, ...generations) + 1
    this.#writeBase(next)
    this.#open(next)
    this.#removeBelow(next)
  }

  #path(name: string): string {
    return path.join(this.#directory, name)
  }

  #generations(): number[] {
    return this.#files
      .list(this.#directory)
      .filter((name) => /^positions\.\d{1,15}$/.test(name))
      .map((name) => Number(name.slice(JOURNAL_PREFIX.length)))
      .sort((a, b) => a - b)
  }

  #read(generation: number): Buffer {
    const fd = this.#files.open(this.#path(`${JOURNAL_PREFIX}${generation}`), fs.constants.O_RDONLY, 0)
    try {
      const bytes = Buffer.alloc(Math.min(this.#files.stat(fd).size, JOURNAL_LIMIT_BYTES))
      return bytes.subarray(0, readAll(this.#files, fd, bytes, bytes.length, 0))
    } finally {
      this.#files.close(fd)
    }
  }

  #writeBase(generation: number): void {
    const base: Base = { generation, positions: Object.fromEntries(this.#positions) }
    writeDocument(this.#files, this.#path(DOCUMENT), DOCUMENT, base)
  }

  #open(generation: number): void {
    const flags = fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_TRUNC
    const fd = this.#files.open(this.#path(`${JOURNAL_PREFIX}${generation}`), flags, 0o600)
    const header = encodeLine({ origin: this.#intake.origin, stream: this.#spool.stream })
    writeAll(this.#files, fd, header, 0)
    this.#fd = fd
    this.#generation = generation
    this.#bytes = header.length
    this.#isUnsynced = true
  }

  #removeBelow(generation: number): void {
    for (const old of this.#generations()) if (old < generation) this.#files.unlink(this.#path(`${JOURNAL_PREFIX}${old}`))
  }

  /** @throws the errno of the failing write; the journal ends where it ended */
  #append(entry: Entry): void {
    const line = encodeLine(entry)
    try {
      writeAll(this.#files, this.#fd, line, this.#bytes)
    } catch (error) {
      this.#files.truncate(this.#fd, this.#bytes)
      throw error
    }
    this.#bytes += line.length
    this.#isUnsynced = true
  }

  /** One at a time; never rejects. */
  #work(): Promise<void> {
    this.#working ??= this.#syncOrFold()
      .catch((error: Error) => this.#tell(error.message))
      .finally(() => {
        this.#working = undefined
      })
    return this.#working
  }

  async #syncOrFold(): Promise<void> {
    for (const key of this.#moved) this.#append({ key, position: this.#positions.get(key) ?? null, first: 0, count: 0 })
    this.#moved.clear()
    if (this.#bytes > JOURNAL_FOLD_BYTES) return this.#fold()
    if (!this.#isUnsynced) return
    this.#isUnsynced = false
    // Before the spool syncs the messages, as far as this can be had cheaply: what a power cut leaves of both is judged at the start.
    await this.#files.syncData(this.#fd)
  }

  async #fold(): Promise<void> {
    const old = this.#fd
    const base: Base = { generation: this.#generation + 1, positions: Object.fromEntries(this.#positions) }
    this.#open(base.generation)
    this.#files.close(old)
    // The document says without a condition what the journal says with one: all its messages must be durable first.
    await this.#spool.commit()
    await writeDocumentLater(this.#files, this.#path(DOCUMENT), DOCUMENT, base)
    this.#removeBelow(base.generation)
  }

  /** Says when sources begin to wait, and why; '' when they go on. */
  #tell(trouble: string): void {
    if (trouble === this.#trouble) return
    this.#trouble = trouble
    if (trouble === '') this.#log.info('sources-go-on', 'The sources that wait for room in the spool go on')
    else if (trouble === 'full')
      this.#log.warn('sources-wait', 'The spool is nearly full: files, journal and kernel wait until there is room again')
    else this.#log.error('sources-wait', `Cannot store what the sources bring: ${trouble}. They wait and try again`)
  }
}
