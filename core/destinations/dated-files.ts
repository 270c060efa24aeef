// Tends the files of a path with a date in it: once an hour all that the path can have made is looked through, and of each series, the files whose paths
// differ in the date alone, those that are too many, too old or too large together go, and with them the folders that become empty. Those that are over are
// renamed, as rotated files are, so that nobody writes to what is compressed: what comes late for such a path begins a file of its own.
//
// What is old is told by the last write, never by the path: the date in it may be the sender's. Nothing is touched that the path of this destination cannot have
// made, that is no plain file, that lies behind a link, or that the destination may still need: what is open, and what its checkpoint remembers.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { errnoOf, explain } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { type DatedClosing, overOf } from './dated-closing.ts'
import type { DatedPattern } from './dated-pattern.ts'
import type { ExpireOption } from './expire-options.ts'
import { renameClosed } from './file-rotation.ts'
import { openParent, within } from './open-below.ts'

const EVERY_MS = 3_600_000
/** Files of one path that are looked at; beyond that many none is removed, and the log says so. */
const FILES_LIMIT = 500_000
const PER_TURN = 256

interface Found {
  readonly components: readonly string[]
  readonly series: string
  readonly inode: number
  readonly bytes: number
  readonly writtenMs: number
  readonly bornMs: number
}

/** Those of one series that go. @param files in any order */
export function expiredOf<T extends Pick<Found, 'bytes' | 'writtenMs'>>(files: readonly T[], options: ExpireOption, nowMs: number): T[] {
  let bytes = 0
  return [...files]
    .sort((a, b) => b.writtenMs - a.writtenMs)
    .filter((file, index) => {
      bytes += file.bytes
      return (
        index >= (options.keep ?? Number.POSITIVE_INFINITY) ||
        bytes > (options.keep_size ?? Number.POSITIVE_INFINITY) ||
        file.writtenMs < nowMs - (options.keep_for ?? Number.POSITIVE_INFINITY)
      )
    })
}

export interface DatedOptions {
  readonly pattern: DatedPattern
  /** Old files stay when left out. */
  readonly expire?: ExpireOption | undefined
  /** All have the name that the path makes when left out. */
  readonly closing?: DatedClosing | undefined
}

export class DatedFiles {
  readonly #pattern: DatedPattern
  readonly #options: DatedOptions
  readonly #isNeeded: (inode: number) => boolean
  readonly #log: Log
  readonly #stopping = new AbortController()
  #dueMs = Number.NEGATIVE_INFINITY
  #isBusy = false
  #idle: Promise<void> = Promise.resolve()

  /** @param isNeeded whether the destination may still write to the file, or compare with it */
  constructor(options: DatedOptions, isNeeded: (inode: number) => boolean, log: Log) {
    this.#pattern = options.pattern
    this.#options = options
    this.#isNeeded = isNeeded
    this.#log = log
  }

  /** A checkpoint is durable: looks through all if that is due. @param monotonicMs of now @param wallMs of now */
  settle(monotonicMs: number, wallMs: number): void {
    if (this.#isBusy || monotonicMs < this.#dueMs || this.#stopping.signal.aborted) return
    this.#dueMs = monotonicMs + EVERY_MS
    this.#isBusy = true
    this.#idle = this.#tend(wallMs)
      .catch((error) => {
        if (errnoOf(error) === undefined && (error as { remedy?: string }).remedy === undefined) throw error
        this.#log.warn('expire-failed', `Cannot tend the old files below ${this.#pattern.base}: ${explain(error).replace('\n', '.')}`, {})
      })
      .finally(() => {
        this.#isBusy = false
      })
  }

  stop(): Promise<void> {
    this.#stopping.abort()
    return this.#idle
  }

  async #tend(wallMs: number): Promise<void> {
    const found: Found[] = []
    await this.#look([], '', found)
    if (this.#stopping.signal.aborted) return
    if (found.length >= FILES_LIMIT) {
      this.#log.warn(
        'expire-failed',
        `Over ${FILES_LIMIT} files below ${this.#pattern.base}: no old ones are removed or compressed. Make several destinations of it`,
        {},
      )
      return
    }
    let files = 0
    let bytes = 0
    for (const series of Map.groupBy(found, (one) => one.series).values()) {
      const { expire, closing } = this.#options
      if (closing !== undefined) await this.#closeAll(series, closing, wallMs)
      for (const one of expire === undefined ? [] : expiredOf(series, expire, wallMs)) {
        if ((files & (PER_TURN - 1)) === 0) await turn()
        if (this.#stopping.signal.aborted) return
        if (!this.#remove(one)) continue
        files++
        bytes += one.bytes
      }
    }
    if (files > 0) this.#log.info('files-expired', `Removed ${files} old files below ${this.#pattern.base}`, { files, bytes })
  }

  async #closeAll(series: readonly Found[], closing: DatedClosing, wallMs: number): Promise<void> {
    const named: Found[] = []
    for (const one of series) {
      const before = this.#pattern.nameBefore(one.components.at(-1)!)
      if (before === undefined) named.push(one)
      // What a stop or a crash has left plain.
      else if (!/\.(gz|zst)$/.test(one.components.at(-1)!)) closing.closed([...one.components.slice(0, -1), before])
    }
    for (const one of overOf(named, closing, wallMs)) {
      await turn()
      if (this.#stopping.signal.aborted) return
      if (this.#close(one)) closing.closed(one.components)
    }
  }

  async #look(folder: readonly string[], series: string, found: Found[]): Promise<void> {
    await turn()
    const { base, depth } = this.#pattern
    // Of a file in it; that one is not opened.
    let open: ReturnType<typeof openParent>
    try {
      open = openParent(base, [...folder, '.'])
    } catch (error) {
      // Someone else removed it meanwhile, or it is a link, which is not ours.
      if (errnoOf(error) === 'ENOENT' || (error as { remedy?: string }).remedy !== undefined) return
      throw error
    }
    const inner: Array<[string[], string]> = []
    try {
      for (const name of fs.readdirSync(within(open.fd, open.directory, '.'))) {
        if (found.length >= FILES_LIMIT || this.#stopping.signal.aborted) return
        const values = this.#pattern.match(name, folder.length)
        if (values === undefined) continue
        const stat = fs.lstatSync(within(open.fd, open.directory, name), { throwIfNoEntry: false })
        const components = [...folder, name]
        if (components.length < depth) {
          if (stat?.isDirectory()) inner.push([components, series + values])
        } else if (stat?.isFile()) {
          found.push({
            components,
            series: series + values,
            inode: stat.ino,
            bytes: stat.size,
            writtenMs: stat.mtimeMs,
            bornMs: stat.birthtimeMs,
          })
        }
      }
    } finally {
      fs.closeSync(open.fd)
    }
    for (const [components, inherited] of inner) await this.#look(components, inherited, found)
  }

  #remove(found: Found): boolean {
    const isGone = this.#change(found, (fd, directory, name) => fs.unlinkSync(within(fd, directory, name)))
    if (isGone) this.#removeEmpty(found.components.slice(0, -1))
    return isGone
  }

  /** Under the time of its last write, so that names sort as lines came. */
  #close(found: Found): boolean {
    return this.#change(found, (fd, directory, name) => renameClosed(fd, directory, name, Math.floor(found.writtenMs / 1000)))
  }

  /** Between its looks and the change nothing else runs in this process, so the destination cannot open the file meanwhile. */
  #change({ components, inode, writtenMs }: Found, change: (fd: number, directory: string, name: string) => void): boolean {
    if (this.#isNeeded(inode)) return false
    let open: ReturnType<typeof openParent>
    try {
      open = openParent(this.#pattern.base, components)
    } catch (error) {
      // Someone else removed its folder.
      if (errnoOf(error) === 'ENOENT') return false
      throw error
    }
    const { fd, directory } = open
    try {
      const name = components.at(-1)!
      const stat = fs.lstatSync(within(fd, directory, name), { throwIfNoEntry: false })
      if (stat?.isFile() !== true || stat.ino !== inode || stat.mtimeMs !== writtenMs) return false
      change(fd, directory, name)
      return true
    } finally {
      fs.closeSync(fd)
    }
  }

  #removeEmpty(folder: readonly string[]): void {
    for (let left = folder; left.length > 0; left = left.slice(0, -1)) {
      const { fd, directory } = openParent(this.#pattern.base, left)
      try {
        fs.rmdirSync(within(fd, directory, left.at(-1)!))
      } catch (error) {
        if (errnoOf(error) === 'ENOTEMPTY' || errnoOf(error) === 'EEXIST' || errnoOf(error) === 'ENOENT') return
        this.#log.warn(
          'expire-failed',
          `Cannot remove the empty folder ${path.join(directory, left.at(-1)!)}: ${(error as Error).message}`,
          {},
        )
        return
      } finally {
        fs.closeSync(fd)
      }
    }
  }
}
