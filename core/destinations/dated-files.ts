// Removes old files of a path with a date in it: once an hour all that the path can have made is looked through, and of each series, the files whose paths
// differ in the date alone, those that are too many, too old or too large together go, and with them the folders that become empty.
//
// What is old is told by the last write, never by the path: the date in it may be the sender's. Nothing is removed that the path of this destination cannot have
// made, that is no plain file, that lies behind a link, or that the destination may still need: what is open, and what its checkpoint remembers.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { errnoOf, explain } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { DatedPattern } from './dated-pattern.ts'
import type { ExpireOption } from './expire-options.ts'
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

export class DatedFiles {
  readonly #pattern: DatedPattern
  readonly #options: ExpireOption
  readonly #isNeeded: (inode: number) => boolean
  readonly #log: Log
  readonly #stopping = new AbortController()
  #dueMs = Number.NEGATIVE_INFINITY
  #isBusy = false
  #idle: Promise<void> = Promise.resolve()

  /** @param isNeeded whether the destination may still write to the file, or compare with it */
  constructor(pattern: DatedPattern, options: ExpireOption, isNeeded: (inode: number) => boolean, log: Log) {
    this.#pattern = pattern
    this.#options = options
    this.#isNeeded = isNeeded
    this.#log = log
  }

  /** A checkpoint is durable: looks through all if that is due. @param monotonicMs of now @param wallMs of now */
  settle(monotonicMs: number, wallMs: number): void {
    if (this.#isBusy || monotonicMs < this.#dueMs || this.#stopping.signal.aborted) return
    this.#dueMs = monotonicMs + EVERY_MS
    this.#isBusy = true
    this.#idle = this.#expire(wallMs)
      .catch((error) => {
        if (errnoOf(error) === undefined && (error as { remedy?: string }).remedy === undefined) throw error
        this.#log.warn('expire-failed', `Cannot remove old files below ${this.#pattern.base}: ${explain(error).replace('\n', '.')}`, {})
      })
      .finally(() => {
        this.#isBusy = false
      })
  }

  stop(): Promise<void> {
    this.#stopping.abort()
    return this.#idle
  }

  async #expire(wallMs: number): Promise<void> {
    const found: Found[] = []
    await this.#look([], '', found)
    if (this.#stopping.signal.aborted) return
    if (found.length >= FILES_LIMIT) {
      this.#log.warn(
        'expire-failed',
        `Over ${FILES_LIMIT} files below ${this.#pattern.base}: no old ones are removed. Make several destinations of it`,
        {},
      )
      return
    }
    let files = 0
    let bytes = 0
    for (const series of Map.groupBy(found, (one) => one.series).values()) {
      for (const one of expiredOf(series, this.#options, wallMs)) {
        if ((files & (PER_TURN - 1)) === 0) await turn()
        if (this.#stopping.signal.aborted) return
        if (!this.#remove(one)) continue
        files++
        bytes += one.bytes
      }
    }
    if (files > 0) this.#log.info('files-expired', `Removed ${files} old files below ${this.#pattern.base}`, { files, bytes })
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
          found.push({ components, series: series + values, inode: stat.ino, bytes: stat.size, writtenMs: stat.mtimeMs })
        }
      }
    } finally {
      fs.closeSync(open.fd)
    }
    for (const [components, inherited] of inner) await this.#look(components, inherited, found)
  }

  /** Between its looks and the removal nothing else runs in this process, so the destination cannot open the file meanwhile. */
  #remove({ components, inode, writtenMs }: Found): boolean {
    if (this.#isNeeded(inode)) return false
    const { base } = this.#pattern
    const { fd, directory } = openParent(base, components)
    try {
      const place = within(fd, directory, components.at(-1)!)
      const stat = fs.lstatSync(place, { throwIfNoEntry: false })
      if (stat?.isFile() !== true || stat.ino !== inode || stat.mtimeMs !== writtenMs) return false
      fs.unlinkSync(place)
    } finally {
      fs.closeSync(fd)
    }
    this.#removeEmpty(components.slice(0, -1))
    return true
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
