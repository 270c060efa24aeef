// A path, the file that stands there, and those that stood there before and are not read to their end yet.

import * as fs from 'node:fs'
import type { Log } from '../../base/log.ts'
import { beginAlike, beginning, describeOpen, type FoundFile, findFile, type Generation, match, shortId, skippedTo } from './generation.ts'
import { directoryStamp, listedSiblings, placesOf, rotatedSiblings, settled } from './siblings.ts'

/** A file that was moved away is still looked at for this long after its last growth: its writer may not know yet. */
export const LINGER_MS = 600_000
const GENERATIONS_LIMIT = 64
const KNOWN_LIMIT = 1000
const MOVES_LIMIT = 50

/** What is kept of a path. */
export interface TailState {
  /** Oldest first; the last is the one at the path itself. */
  readonly files: readonly Generation[]
  /** Rotated files beside it that hold nothing for us, by short names. */
  readonly known: readonly string[]
}

export interface OpenGeneration {
  generation: Generation
  readonly fd: number
  /** Monotonic time of its last growth, and its size then. */
  grownMs: number
  size: number
}

/** What stands at a path and beside it at one moment. */
interface View {
  readonly found: FoundFile | undefined
  /** All that rotations have left. */
  readonly siblings: readonly FoundFile[]
  /** Those of them that were not there before. */
  readonly fresh: readonly FoundFile[]
  /** Those of them that have to be read. */
  readonly missed: readonly FoundFile[]
  readonly isReplaced: boolean
  readonly isCut: boolean
}

function inWords({ found, siblings, missed, isCut }: View): string {
  return `${found?.id} ${isCut}\n${placesOf(siblings)}\n\n${placesOf(missed)}`
}

export class TailedPath {
  readonly path: string
  readonly #log: Log
  #open: OpenGeneration[] = []
  #known = new Set<string>()
  #stamp = ''
  #seen = ''
  #unreadable = ''

  private constructor(path: string, log: Log) {
    this.path = path
    this.#log = log
  }

  /** A path that is seen for the first time. @param isAtEnd what stands there already is passed over */
  static first(path: string, isAtEnd: boolean, nowMs: number, log: Log): TailedPath {
    const tailed = new TailedPath(path, log)
    tailed.#know(rotatedSiblings(path))
    const found = findFile(path)
    const opened = found === undefined ? undefined : tailed.#openFile(beginning(found), nowMs)
    if (opened !== undefined) {
      if (isAtEnd) opened.generation = skippedTo(opened.generation, opened.fd, lastLineEnd(opened.fd, opened.size))
      tailed.#open.push(opened)
    }
    return tailed
  }

  /** A path that was read before, by this process or another. */
  static restored(path: string, state: TailState, nowMs: number, log: Log): TailedPath {
    const tailed = new TailedPath(path, log)
    tailed.#known = new Set(state.known)
    for (const generation of state.files) {
      let opened = tailed.#openFile(generation, nowMs)
      for (let tries = 0; opened === undefined && tries < MOVES_LIMIT; tries++) {
        const moved = rotatedSiblings(path).find((sibling) => sibling.id === generation.id)
        if (moved === undefined) break
        // Not there any more: a rotation is under way, and has moved it on.
        opened = tailed.#openFile({ ...generation, path: moved.path }, nowMs)
      }
      if (opened !== undefined) tailed.#open.push(opened)
      else if (!generation.isAtEnd) tailed.#tellGone(generation)
    }
    return tailed
  }

  get open(): readonly OpenGeneration[] {
    return this.#open
  }

  get isOver(): boolean {
    return this.#open.length === 0
  }

  /** The state when `changed` stands in the place of the generation with its id. */
  stateWith(changed?: Generation): TailState {
    const files = this.#open.map(({ generation }) => (generation.id === changed?.id ? changed : generation))
    return { files, known: [...this.#known] }
  }

  /** Finds out what has become of the path since the last look. @returns whether the list of files or the place in one has changed */
  look(nowMs: number): boolean {
    const stamp = directoryStamp(this.path)
    const found = findFile(this.path)
    const seen = found === undefined ? '' : `${found.id} ${found.size} ${found.changedNs}`
    if (stamp === this.#stamp && seen === this.#seen) return false
    this.#stamp = stamp
    this.#seen = seen
    const current = this.#open.at(-1)
    // The rotation goes on while we look: what was seen one after the other has to have been true at one moment, or a copy is missed, taken for another file or read twice.
    const { seen: view, isSettled } = settled(() => this.#view(current), inWords)
    if (!isSettled) {
      this.#stamp = ''
      return false
    }
    for (const opened of this.#open) {
      const moved = view.siblings.find((sibling) => sibling.id === opened.generation.id)
      if (moved !== undefined) opened.generation = { ...opened.generation, path: moved.path }
    }
    return this.#rotated(current, view, nowMs)
  }

  /** Forgets a file that was moved away and is read to its end. */
  drop(opened: OpenGeneration): void {
    fs.closeSync(opened.fd)
    this.#open = this.#open.filter((other) => other !== opened)
    this.#known.add(shortId(opened.generation))
    this.#bound()
  }

  /** Whether nothing more is expected of it, so that its end ends its last line. */
  isDone(opened: OpenGeneration, nowMs: number): boolean {
    const isLast = opened === this.#open.at(-1)
    if (isLast && findFile(this.path)?.id === opened.generation.id) return false
    if (opened.generation.isCopy || this.#open.length > GENERATIONS_LIMIT) return true
    return nowMs - opened.grownMs >= LINGER_MS
  }

  close(): void {
    for (const { fd } of this.#open) fs.closeSync(fd)
    this.#open = []
  }

  #view(current: OpenGeneration | undefined): View {
    const found = findFile(this.path)
    const siblings = listedSiblings(this.path)
    const fresh = siblings.filter(
      (sibling) =>
        sibling.id !== found?.id &&
        !this.#known.has(shortId(sibling)) &&
        !this.#open.some(({ generation }) => generation.id === sibling.id),
    )
    // A copy is made before the original is cut: until then it is no business of ours. One that is no copy was, before it was cut and written anew.
    const missed = copiesLeftOut(fresh, found)
    const isReplaced = found?.id !== current?.generation.id
    const isCut = current !== undefined && this.#isCut(current, isReplaced ? [] : missed)
    return { found, siblings, fresh, missed, isReplaced, isCut }
  }

  #rotated(current: OpenGeneration | undefined, view: View, nowMs: number): boolean {
    const { found, siblings, fresh, missed, isReplaced, isCut } = view
    if (!isReplaced && !isCut && missed.length === 0) return false
    const opened: Array<OpenGeneration & { readonly bornNs: bigint }> = []
    for (const file of missed) {
      const one = this.#openFile(beginning(file), nowMs)
      if (one !== undefined) opened.push({ ...one, bornNs: file.bornNs })
      else if (findFile(file.path)?.id !== file.id) {
        // The next rotation is under way: once more, when it is over.
        for (const { fd } of opened) fs.closeSync(fd)
        this.#stamp = ''
        return false
      }
    }
    if (current === undefined) this.#open.push(...opened)
    else this.#sortIn(current, isCut, isReplaced, opened, nowMs)
    // What stood at the path may be beside it by now, and is not known before it is opened.
    this.#know(siblings.filter((sibling) => missed.includes(sibling) || (sibling.id !== found?.id && !fresh.includes(sibling))))
    if (isReplaced && found !== undefined) this.#begin(found, nowMs)
    return true
  }

  /** Puts the files that stand beside the path since the last look before or behind the one that stood at it. */
  #sortIn(
    current: OpenGeneration,
    isCut: boolean,
    isReplaced: boolean,
    opened: ReadonlyArray<OpenGeneration & { readonly bornNs: bigint }>,
    nowMs: number,
  ): void {
    const { generation } = current
    const changedNs = describeOpen(generation.path, current.fd)?.changedNs ?? 0n
    // The copy that holds what was not read of the original yet. Of several the largest is the last that was made before the cut.
    let anchor: OpenGeneration | undefined
    let isFound = generation.offset === 0
    const before: OpenGeneration[] = []
    const behind: OpenGeneration[] = []
    for (const copy of opened) {
      const like = generation.offset === 0 ? 'other' : match(generation, copy.fd, copy.size)
      isFound ||= like !== 'other'
      // Where nothing was cut, a shorter one that begins alike is a file of its own.
      if (like === 'other' || (like === 'shorter' && !isCut))
        (isReplaced && !(isCut && copy.bornNs < changedNs) ? behind : before).push(copy)
      else if (isCut && like === 'same' && copy.size >= (anchor?.size ?? 0)) {
        if (anchor !== undefined) fs.closeSync(anchor.fd)
        anchor = copy
      } else fs.closeSync(copy.fd)
    }
    if (anchor !== undefined) {
      const { offset, isCut: isWithin, head, tail } = generation
      anchor.generation = { ...anchor.generation, offset, isCut: isWithin, head, tail }
      before.unshift(anchor)
    }
    for (const copy of before) copy.generation = { ...copy.generation, isCopy: true }
    if (isCut) {
      current.generation = { ...generation, offset: 0, isCut: false, head: 0, tail: 0 }
      current.grownMs = nowMs
      if (!isFound) this.#tellCut(generation)
    }
    this.#open.splice(this.#open.indexOf(current), 1, ...before, current, ...behind)
  }

  /** What stands at the path now is read behind all that stood there before. */
  #begin(found: FoundFile, nowMs: number): void {
    const index = this.#open.findIndex(({ generation }) => generation.id === found.id)
    // It was moved back, or it was moved aside between two of our calls.
    if (index !== -1) this.#open.push(...this.#open.splice(index, 1))
    else {
      const opened = this.#openFile(beginning(found), nowMs)
      if (opened !== undefined) this.#open.push(opened)
      else this.#stamp = ''
    }
  }

  /** @param missed files beside it that hold something else */
  #isCut(current: OpenGeneration, missed: readonly FoundFile[]): boolean {
    // Nothing was read of it: it was cut when a new copy holds something else.
    if (current.generation.offset === 0) return missed.length > 0
    return match(current.generation, current.fd, fs.fstatSync(current.fd).size) !== 'same'
  }

  #know(siblings: readonly FoundFile[]): void {
    this.#known = new Set(siblings.map(shortId))
    this.#bound()
  }

  #bound(): void {
    for (const oldest of this.#known) {
      if (this.#known.size <= KNOWN_LIMIT) return
      this.#known.delete(oldest)
    }
  }

  /** Opens the file of the generation at its path; undefined when another file, or none, stands there. */
  #openFile(generation: Generation, nowMs: number): OpenGeneration | undefined {
    let fd: number
    try {
      fd = fs.openSync(generation.path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code !== 'ENOENT' && this.#unreadable !== generation.path) {
        this.#unreadable = generation.path
        this.#log.error('file-unreadable', `Cannot read ${generation.path}: ${(error as Error).message}. It is tried again every second`)
      }
      return undefined
    }
    const found = describeOpen(generation.path, fd)
    if (found?.id === generation.id) return { generation, fd, grownMs: nowMs, size: found.size }
    fs.closeSync(fd)
    return undefined
  }

  #tellCut({ offset }: Generation): void {
    this.#log.warn(
      'file-cut',
      `${this.path} was cut at its beginning, and no copy of it was found: what was written to it behind byte ${offset} is lost, if there was anything. Rotate it by renaming, or leave the copy uncompressed once (delaycompress)`,
      { path: this.path },
    )
  }

  #tellGone(generation: Generation): void {
    this.#log.warn(
      'file-gone',
      `${generation.path} was read up to byte ${generation.offset} and is gone: what was written to it behind that while the agent did not run is lost, if there was anything`,
      { path: generation.path },
    )
  }
}

/** Those of the files that are no copies of what stands at the path. */
function copiesLeftOut(files: readonly FoundFile[], original: FoundFile | undefined): FoundFile[] {
  if (files.length === 0 || original === undefined) return [...files]
  // Where it is gone again, the next look sees that.
  return reading(original.path, (fd) => files.filter((file) => !isCopyOf(file, fd))) ?? []
}

/** Whether both begin alike, or the copy holds nothing yet. What was cut and is empty has no copies. */
function isCopyOf(copy: FoundFile, fd: number): boolean {
  if (copy.size === 0) return true
  if (fs.fstatSync(fd).size === 0) return false
  return reading(copy.path, (copyFd) => beginAlike(fd, copyFd)) ?? true
}

/** @returns undefined where the file cannot be read */
function reading<T>(file: string, read: (fd: number) => T): T | undefined {
  try {
    const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
    try {
      return read(fd)
    } finally {
      fs.closeSync(fd)
    }
  } catch {
    return undefined
  }
}

/** Behind the last line feed, looked for in the last 64 KiB. */
function lastLineEnd(fd: number, size: number): number {
  const length = Math.min(size, 65_536)
  const bytes = Buffer.alloc(length)
  const got = fs.readSync(fd, bytes, 0, length, size - length)
  const lf = bytes.subarray(0, got).lastIndexOf(0x0a)
  return lf === -1 ? size : size - length + lf + 1
}
