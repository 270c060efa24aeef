// What becomes of closed files: compressed in the background, and removed when there are too many, too old or too large ones. Only files that no durable
// checkpoint remembers are touched, so that a replay finds what it has to compare with.

import * as fs from 'node:fs'
import { errnoOf } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { GENERATION, type RotationOptions } from './file-rotation.ts'
import { openParent, within } from './open-below.ts'
import { PARTIAL, packFile } from './pack-file.ts'

/** What is done with closed files. */
export type GenerationOptions = Pick<RotationOptions, 'keep' | 'keepMs' | 'keepBytes' | 'compress'>

interface Generation {
  readonly name: string
  readonly stamp: string
  readonly isPacked: boolean
  readonly bytes: number
  readonly inode: number
  readonly changedMs: number
}

export class FileGenerations {
  readonly #options: GenerationOptions
  readonly #base: string
  readonly #isNeeded: (inode: number) => boolean
  readonly #log: Log
  /** Files whose closed ones may need something, by their key; at most one entry for each open file. */
  readonly #waiting = new Map<string, readonly string[]>()
  #isBusy = false
  readonly #stopping = new AbortController()
  #idle: Promise<void> = Promise.resolve()

  /** @param isNeeded whether the destination may still write to the file, or compare with it */
  constructor(options: GenerationOptions, base: string, isNeeded: (inode: number) => boolean, log: Log) {
    this.#options = options
    this.#base = base
    this.#isNeeded = isNeeded
    this.#log = log
  }

  /** A file was closed or opened: those before it are looked at after the next durable checkpoint. */
  look(key: string, components: readonly string[]): void {
    this.#waiting.set(key, components)
  }

  /** A checkpoint is durable. */
  settle(): void {
    if (this.#isBusy || this.#stopping.signal.aborted || this.#waiting.size === 0) return
    this.#isBusy = true
    const all = [...this.#waiting]
    this.#waiting.clear()
    this.#idle = this.#tendAll(all).finally(() => {
      this.#isBusy = false
    })
  }

  /** Resolves when nothing is compressed any more; what was being compressed stays plain. */
  stop(): Promise<void> {
    this.#stopping.abort()
    return this.#idle
  }

  async #tendAll(all: ReadonlyArray<[string, readonly string[]]>): Promise<void> {
    for (const [key, components] of all) {
      if (this.#stopping.signal.aborted) return
      try {
        await this.#tend(components)
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        if (errnoOf(error) === undefined && (error as { remedy?: string }).remedy === undefined) throw error
        // Tried again with the next rotation.
        this.#log.warn('rotation-failed', `Cannot tend the closed files of ${key}: ${(error as Error).message}`, {})
      }
    }
  }

  async #tend(components: readonly string[]): Promise<void> {
    const { fd, directory } = openParent(this.#base, components)
    try {
      const place = (name: string): string => within(fd, directory, name)
      const name = components.at(-1)!
      for (const one of fs.readdirSync(place('.'))) {
        if (one.startsWith(`${name}.`) && one.endsWith(PARTIAL) && GENERATION.test(one.slice(name.length + 1, -PARTIAL.length)))
          fs.unlinkSync(place(one))
      }
      const { compress } = this.#options
      if (compress !== 'none') {
        for (const one of generationsIn(place, name)) {
          if (this.#stopping.signal.aborted) return
          if (one.isPacked || this.#isNeeded(one.inode)) continue
          await packFile({ fd, at: place }, one.name, compress, this.#isNeeded, this.#stopping.signal)
        }
      }
      this.#prune(place, name)
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
  }

  #prune(place: (name: string) => string, name: string): void {
    const { keep, keepMs, keepBytes } = this.#options
    const oldestMs = keepMs === undefined ? Number.NEGATIVE_INFINITY : Date.now() - keepMs
    let count = 0
    let bytes = 0
    for (const one of generationsIn(place, name).reverse()) {
      count++
      bytes += one.bytes
      const isOver =
        count > (keep ?? Number.POSITIVE_INFINITY) || bytes > (keepBytes ?? Number.POSITIVE_INFINITY) || one.changedMs < oldestMs
      if (isOver && !this.#isNeeded(one.inode)) fs.unlinkSync(place(one.name))
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
