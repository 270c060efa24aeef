import * as fs from 'node:fs'
import type { Clock } from '../base/clock.ts'
import { type Modes, openBelow } from './open-below.ts'
import type { PathTemplate } from './path-template.ts'

/** A file that logrotate has moved away is noticed within this time, at the next write. */
const RECHECK_MS = 500

export interface OpenFile {
  readonly host: string
  readonly file: string
  readonly fd: number
  readonly device: number
  readonly inode: number
  /** Where our next byte goes, when nobody else writes. */
  size: number
  isDirty: boolean
  checkedMs: number
  /** When it was opened, or was last about to be written to; monotonic. */
  usedMs: number
  /** When its first line came, as far as is known: seconds since 1970 UTC. */
  bornSecond: number
}

/** Open files by host, the least recently used closed first. */
export class FileCache {
  readonly #template: PathTemplate
  readonly #modes: Modes
  readonly #limit: number
  readonly #clock: Clock
  readonly #files = new Map<string, OpenFile>()

  readonly #onOpened: ((components: readonly string[]) => void) | undefined

  constructor(template: PathTemplate, modes: Modes, limit: number, clock: Clock, onOpened?: (components: readonly string[]) => void) {
    this.#template = template
    this.#modes = modes
    this.#limit = limit
    this.#clock = clock
    this.#onOpened = onOpened
  }

  get open(): Iterable<OpenFile> {
    return this.#files.values()
  }

  get count(): number {
    return this.#files.size
  }

  /** Closes files that are no more where their path leads, so that `get` opens anew; a dirty one is synced first. */
  recheck(host: string): void {
    const held = this.#files.get(host)
    const nowMs = this.#clock.monotonicMs()
    if (held !== undefined) held.usedMs = nowMs
    if (held === undefined || nowMs - held.checkedMs < RECHECK_MS) return
    const stat = fs.lstatSync(held.file, { throwIfNoEntry: false })
    if (stat === undefined || stat.ino !== held.inode || stat.dev !== held.device) this.#close(held)
    else {
      held.checkedMs = nowMs
      held.size = stat.size // smaller after a copytruncate
    }
  }

  /** @throws as openBelow; nothing is opened then */
  get(host: string): OpenFile {
    const held = this.#files.get(host)
    if (held !== undefined) {
      this.#files.delete(host)
      this.#files.set(host, held)
      return held
    }
    if (this.#files.size >= this.#limit) this.#close(this.#files.values().next().value!)
    const components = this.#template.components(host)
    const { fd, file } = openBelow(this.#template.base, components, this.#modes)
    const stat = fs.fstatSync(fd)
    const nowMs = this.#clock.monotonicMs()
    const opened = {
      host,
      file,
      fd,
      device: stat.dev,
      inode: stat.ino,
      size: stat.size,
      isDirty: false,
      checkedMs: nowMs,
      usedMs: nowMs,
      // One that was begun by the process before this one is as old as its last line at least.
      bornSecond: Math.floor(stat.size > 0 ? stat.mtimeMs / 1000 : this.#clock.wallUs() / 1_000_000),
    }
    this.#files.set(host, opened)
    this.#onOpened?.(components)
    return opened
  }

  /** The file of that host if it is open. */
  peek(host: string): OpenFile | undefined {
    return this.#files.get(host)
  }

  /** Closes it, so that `get` opens what stands at its path by then. */
  close(host: string): void {
    const held = this.#files.get(host)
    if (held !== undefined) this.#close(held)
  }

  /** Closes those that nothing was written to for so long, that are on the disk, and that nobody holds. */
  closeIdle(idleMs: number, isHeld: (host: string) => boolean): void {
    const beforeMs = this.#clock.monotonicMs() - idleMs
    for (const file of [...this.#files.values()]) if (file.usedMs < beforeMs && !file.isDirty && !isHeld(file.host)) this.#close(file)
  }

  /** The next `recheck` of each looks whether it was moved away. */
  forgetChecks(): void {
    for (const file of this.#files.values()) file.checkedMs = Number.NEGATIVE_INFINITY
  }

  closeAll(): void {
    for (const file of [...this.#files.values()]) this.#close(file)
  }

  #close(file: OpenFile): void {
    // What the checkpoint will count as written must be durable by then, and this descriptor is gone by then. When it cannot be, it stays open.
    if (file.isDirty) fs.fdatasyncSync(file.fd)
    this.#files.delete(file.host)
    fs.closeSync(file.fd)
  }
}
