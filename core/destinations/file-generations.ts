// What becomes of closed files: compressed in the background, and removed when there are too many, too old or too large ones. Only files that no durable
// checkpoint remembers are touched, so that a replay finds what it has to compare with.

import * as fs from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGzip, createZstdCompress } from 'node:zlib'
import { errnoOf } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { GENERATION, type RotationOptions } from './file-rotation.ts'
import { openParent, within } from './open-below.ts'

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants
const PARTIAL = '.partial'

interface Generation {
  readonly name: string
  readonly stamp: string
  readonly isPacked: boolean
  readonly bytes: number
  readonly inode: number
  readonly changedMs: number
}

export class FileGenerations {
  readonly #options: RotationOptions
  readonly #base: string
  readonly #log: Log
  /** Files whose closed ones may need something, by their key; at most one entry for each open file. */
  readonly #waiting = new Map<string, readonly string[]>()
  #isBusy = false
  readonly #stopping = new AbortController()
  #idle: Promise<void> = Promise.resolve()

  constructor(options: RotationOptions, base: string, log: Log) {
    this.#options = options
    this.#base = base
    this.#log = log
  }

  /** A file was closed or opened: those before it are looked at after the next durable checkpoint. */
  look(key: string, components: readonly string[]): void {
    this.#waiting.set(key, components)
  }

  /** A checkpoint is durable. @param remembered inodes that it, or what is replayed, still needs */
  settle(remembered: ReadonlySet<number>): void {
    if (this.#isBusy || this.#stopping.signal.aborted || this.#waiting.size === 0) return
    this.#isBusy = true
    const all = [...this.#waiting]
    this.#waiting.clear()
    this.#idle = this.#tendAll(all, remembered).finally(() => {
      this.#isBusy = false
    })
  }

  /** Resolves when nothing is compressed any more; what was being compressed stays plain. */
  stop(): Promise<void> {
    this.#stopping.abort()
    return this.#idle
  }

  async #tendAll(all: ReadonlyArray<[string, readonly string[]]>, remembered: ReadonlySet<number>): Promise<void> {
    for (const [key, components] of all) {
      if (this.#stopping.signal.aborted) return
      try {
        await this.#tend(components, remembered)
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        if (errnoOf(error) === undefined && (error as { remedy?: string }).remedy === undefined) throw error
        // Tried again with the next rotation.
        this.#log.warn('rotation-failed', `Cannot tend the closed files of ${key}: ${(error as Error).message}`, {})
      }
    }
  }

  async #tend(components: readonly string[], remembered: ReadonlySet<number>): Promise<void> {
    const { fd, directory } = openParent(this.#base, components)
    try {
      const place = (name: string): string => within(fd, directory, name)
      const name = components.at(-1)!
      for (const one of fs.readdirSync(place('.'))) {
        if (one.startsWith(`${name}.`) && one.endsWith(PARTIAL) && GENERATION.test(one.slice(name.length + 1, -PARTIAL.length)))
          fs.unlinkSync(place(one))
      }
      if (this.#options.compress !== 'none') {
        for (const one of generationsIn(place, name)) {
          if (this.#stopping.signal.aborted) return
          if (!one.isPacked && !remembered.has(one.inode)) await this.#pack(place, one.name)
        }
      }
      this.#prune(place, name, remembered)
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
  }

  /** The packed file stands, durable, before the plain one goes; what a crash leaves of it is removed later. */
  async #pack(place: (name: string) => string, name: string): Promise<void> {
    const { compress } = this.#options
    const packed = `${name}${compress === 'gzip' ? '.gz' : '.zst'}`
    const partial = `${packed}${PARTIAL}`
    const source = fs.openSync(place(name), O_RDONLY | O_NOFOLLOW)
    const stat = fs.fstatSync(source)
    const target = fs.openSync(place(partial), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    try {
      const packer = compress === 'gzip' ? createGzip() : createZstdCompress()
      await pipeline(
        fs.createReadStream('', { fd: source, autoClose: false, start: 0 }),
        packer,
        fs.createWriteStream('', { fd: target, autoClose: false, start: 0 }),
        { signal: this.#stopping.signal },
      )
      fs.fchmodSync(target, stat.mode & 0o777)
      const made = fs.fstatSync(target)
      if (made.uid !== stat.uid || made.gid !== stat.gid) fs.fchownSync(target, stat.uid, stat.gid)
      fs.futimesSync(target, stat.atimeMs / 1000, stat.mtimeMs / 1000)
      await new Promise<void>((resolve, reject) => fs.fsync(target, (error) => (error === null ? resolve() : reject(error))))
      // Someone may have moved the plain one meanwhile, and put another in its place.
      if (fs.lstatSync(place(name)).ino !== stat.ino) throw Object.assign(new Error(`${name} was replaced meanwhile`), { code: 'ESTALE' })
      fs.renameSync(place(partial), place(packed))
      fs.unlinkSync(place(name))
    } catch (error) {
      fs.rmSync(place(partial), { force: true })
      throw error
    } finally {
      fs.closeSync(source)
      fs.closeSync(target)
    }
  }

  #prune(place: (name: string) => string, name: string, remembered: ReadonlySet<number>): void {
    const { keep, keepMs, keepBytes } = this.#options
    const oldestMs = keepMs === undefined ? Number.NEGATIVE_INFINITY : Date.now() - keepMs
    let count = 0
    let bytes = 0
    for (const one of generationsIn(place, name).reverse()) {
      count++
      bytes += one.bytes
      const isOver =
        count > (keep ?? Number.POSITIVE_INFINITY) || bytes > (keepBytes ?? Number.POSITIVE_INFINITY) || one.changedMs < oldestMs
      if (isOver && !remembered.has(one.inode)) fs.unlinkSync(place(one.name))
    }
  }
}

/** The closed files of that name, the oldest first; of one that is there twice, plain and packed, both. */
function generationsIn(place: (name: string) => string, name: string): Generation[] {
  const found: Generation[] = []
  for (const one of fs.readdirSync(place('.'))) {
    const match = one.startsWith(`${name}.`) ? GENERATION.exec(one.slice(name.length + 1)) : null
    if (match === null) continue
    const stat = fs.lstatSync(place(one), { throwIfNoEntry: false })
    if (stat?.isFile() !== true) continue
    found.push({
      name: one,
      stamp: match[1]!,
      isPacked: match[2] !== undefined,
      bytes: stat.size,
      inode: stat.ino,
      changedMs: stat.mtimeMs,
    })
  }
  return found.sort((a, b) => (a.stamp < b.stamp ? -1 : a.stamp > b.stamp ? 1 : 0))
}
