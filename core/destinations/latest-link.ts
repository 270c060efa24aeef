// A link beside the dated files of each series that leads to the one that was begun last: web01/latest -> 2026/11/25/messages. It is replaced in one step, so
// whoever follows it finds one file or the other. Only a link is ever replaced, and it leads to a file of this destination, below its own folder.

import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Log } from '../base/log.ts'
import type { DatedPattern } from './dated-pattern.ts'
import { openParent, within } from './open-below.ts'

export class LatestLink {
  readonly #pattern: DatedPattern
  readonly #name: string
  readonly #log: Log
  /** What was told last, so that it is not told with each file. */
  #told = ''

  /** @param name of the link, a component that the path cannot make */
  constructor(pattern: DatedPattern, name: string, log: Log) {
    this.#pattern = pattern
    this.#name = name
    this.#log = log
  }

  /** A file was opened: the link leads to it from now on if it is the younger one. Never throws for what stands on the disk. */
  opened(components: readonly string[]): void {
    const { base, dateDepth, depth } = this.#pattern
    // Where too many files are asked for at once, they are elsewhere.
    if (components.length !== depth || components.some((one, at) => this.#pattern.match(one, at) === undefined)) return
    try {
      const { fd, directory } = openParent(base, components.slice(0, dateDepth + 1))
      try {
        this.#lead(within(fd, directory, this.#name), path.join(directory, this.#name), components)
      } finally {
        fs.closeSync(fd)
      }
    } catch (error) {
      this.#tell(`Cannot make the link ${this.#name} below ${base}: ${(error as Error).message}`)
    }
  }

  #lead(place: string, shown: string, components: readonly string[]): void {
    const { base, dateDepth } = this.#pattern
    const target = components.slice(dateDepth).join('/')
    const stat = fs.lstatSync(place, { throwIfNoEntry: false })
    if (stat?.isSymbolicLink() === false) {
      this.#tell(`Cannot make the link ${shown}: what stands there is no link, and is left alone`)
      return
    }
    if (stat !== undefined) {
      const before = fs.readlinkSync(place)
      if (before === target) return
      const bornMs = this.#bornMs([...components.slice(0, dateDepth), ...before.split('/')])
      if (bornMs !== undefined && bornMs >= fs.lstatSync(path.join(base, ...components)).birthtimeMs) return
    }
    const temporary = path.join(path.dirname(place), `.${this.#name}.partial`)
    // What a crash has left; never anything else.
    if (fs.lstatSync(temporary, { throwIfNoEntry: false })?.isSymbolicLink()) fs.unlinkSync(temporary)
    fs.symlinkSync(target, temporary)
    fs.renameSync(temporary, place)
  }

  /** When the file was begun that a link leads to; undefined when it is gone, or was never ours. */
  #bornMs(components: readonly string[]): number | undefined {
    const { base, depth } = this.#pattern
    if (components.length !== depth || components.some((one, at) => this.#pattern.match(one, at) === undefined)) return undefined
    const stat = fs.lstatSync(path.join(base, ...components), { throwIfNoEntry: false })
    return stat?.isFile() ? stat.birthtimeMs : undefined
  }

  #tell(text: string): void {
    if (text !== this.#told) this.#log.warn('latest-failed', text, {})
    this.#told = text
  }
}
