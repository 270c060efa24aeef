// Files that programs write: docs/sources.md says what is read when, docs/decisions/0011-source-positions.md why each line comes once.

import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Clock } from '../../base/clock.ts'
import { errnoOf } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import { composeHead, element } from '../../syslog/compose.ts'
import { type Behind, type LineRules, nextMessage } from '../../syslog/file-lines.ts'
import type { Positions } from '../positions.ts'
import type { Source } from '../unix-datagram.ts'
import { WaitingBatch } from '../waiting-batch.ts'
import { directoryInstead } from './directory-instead.ts'
import { findFile, isTail, readTo, shortId, tailBytes } from './generation.ts'
import { isRotatedName, rotatedSiblings } from './siblings.ts'
import { type OpenGeneration, TailedPath, type TailState } from './tailed-path.ts'

const POLL_MS = 1000
/** Writes come in bursts, and each is an event. */
const GATHER_MS = 20
const WAIT_MS = 500
const READ_BYTES = 256 << 10
const PARTS_IN_TURN = 64
/** A message of several lines is over when nothing was added for this long. */
const QUIET_MS = 2000
const PATHS_LIMIT = 1000
const COMPRESSED = /\.(?:gz|bz2|xz|zst|Z|lz4)$/

export interface FileSourceOptions {
  readonly pattern: string
  readonly pri: number
  /** APP-NAME; undefined for the name of the file without its ending. */
  readonly program: string | undefined
  readonly encoding: 'utf-8' | 'latin1'
  readonly isFromEnd: boolean
  readonly rules: LineRules
  readonly hostname: string
}

export class FileSource implements Source {
  readonly name: string
  readonly #options: FileSourceOptions
  readonly #positions: Positions
  readonly #metrics: Metrics
  readonly #log: Log
  readonly #clock: Clock
  readonly #batch: WaitingBatch
  readonly #room: Buffer
  readonly #tails = new Map<string, TailedPath>()
  readonly #timer: NodeJS.Timeout
  #watcher: fs.FSWatcher | undefined
  #gather: NodeJS.Timeout | undefined
  #working: Promise<void> | undefined
  #isAsked = false
  #isStopped = false
  #isOverLimit = false
  #isOfDirectory = false
  readonly #failing = new Set<string>()
  readonly #onFailure: (error: Error) => void

  constructor(
    options: FileSourceOptions,
    positions: Positions,
    metrics: Metrics,
    log: Log,
    clock: Clock,
    onFailure: (error: Error) => void,
  ) {
    this.name = `file ${options.pattern}`
    this.#options = options
    this.#positions = positions
    this.#metrics = metrics
    this.#log = log
    this.#clock = clock
    this.#onFailure = onFailure
    this.#batch = new WaitingBatch(positions, clock)
    this.#room = Buffer.allocUnsafeSlow(Math.max(READ_BYTES, options.rules.limitBytes * 2) + 1024)
    this.#watch()
    this.#timer = setInterval(() => this.#ask(), POLL_MS)
    this.#ask()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#timer)
    clearTimeout(this.#gather)
    this.#watcher?.close()
    await this.#working
    for (const tail of this.#tails.values()) tail.close()
  }

  /** Tells of writes at once where the system does; the poll finds what it does not tell. */
  #watch(): void {
    const fixed = this.#options.pattern.split(/[*?[{]/, 1)[0]!
    const directory = fixed === this.#options.pattern ? path.dirname(fixed) : fixed.slice(0, fixed.lastIndexOf('/') + 1) || '.'
    try {
      this.#watcher = fs.watch(directory, () => {
        this.#gather ??= setTimeout(() => {
          this.#gather = undefined
          this.#ask()
        }, GATHER_MS)
      })
      this.#watcher.on('error', () => this.#watcher?.close())
    } catch {
      this.#watcher = undefined
    }
  }

  #ask(): void {
    this.#isAsked = true
    if (this.#working !== undefined || this.#isStopped) return
    this.#working = this.#work()
      .catch(this.#onFailure)
      .finally(() => {
        this.#working = undefined
      })
  }

  async #work(): Promise<void> {
    while (this.#isAsked && !this.#isStopped) {
      this.#isAsked = false
      this.#trying(this.#options.pattern, () => this.#find())
      for (const [file, tail] of this.#tails) {
        await this.#follow(tail)
        if (this.#isStopped) return
        if (tail.isOver && !fs.existsSync(file)) {
          this.#positions.move(this.#key(file), null)
          this.#tails.delete(file)
        }
      }
    }
  }

  /** A disk or a server that fails keeps this file from being read, and nothing else. @returns undefined when it failed */
  #trying<T>(place: string, act: () => T): T | undefined {
    try {
      const result = act()
      this.#failing.delete(place)
      return result
    } catch (error) {
      if (errnoOf(error) === undefined) throw error
      if (!this.#failing.has(place)) {
        this.#log.error('file-unreadable', `Cannot read ${place}: ${(error as Error).message}. It is tried again every second`)
        if (this.#failing.size < PATHS_LIMIT) this.#failing.add(place)
      }
      return undefined
    }
  }

  #key(file: string): string {
    return `file ${this.#options.pattern} ${file}`
  }

  #find(): void {
    const { pattern } = this.#options
    const fault = directoryInstead(pattern)
    if (fault !== undefined && !this.#isOfDirectory) this.#log.error('file-unreadable', `${fault.message}. ${fault.remedy}`)
    this.#isOfDirectory = fault !== undefined
    if (fault !== undefined) return
    const found = fs.globSync(pattern).filter((file) => !COMPRESSED.test(file))
    // What a rotation has left is found from the path that it was left by.
    const files = found.filter((file) => !found.some((other) => isLeftBy(file, other)))
    const isFirst = this.#options.isFromEnd && this.#positions.get(this.name) === undefined
    const nowMs = this.#clock.monotonicMs()
    for (const file of files.sort()) {
      if (this.#tails.has(file)) continue
      if (this.#tails.size >= PATHS_LIMIT) {
        if (!this.#isOverLimit) {
          this.#isOverLimit = true
          this.#log.error(
            'files-over-limit',
            `${pattern} matches over ${PATHS_LIMIT} files: the others are not read. Name fewer, in several sources`,
          )
        }
        break
      }
      const state = (this.#positions.get(this.#key(file)) ?? this.#takenOver(file)) as TailState | 'second name' | undefined
      if (state === 'second name') continue
      this.#tails.set(
        file,
        state === undefined ? TailedPath.first(file, isFirst, nowMs, this.#log) : TailedPath.restored(file, state, nowMs, this.#log),
      )
      if (state === undefined) this.#positions.move(this.#key(file), this.#tails.get(file)!.stateWith())
    }
    // Paths where nothing stands now, but which were read before: their last file may have been moved aside.
    for (const key of this.#positions.keys(`file ${pattern} `)) {
      const file = key.slice(`file ${pattern} `.length)
      if (this.#tails.has(file)) continue
      this.#tails.set(file, TailedPath.restored(file, this.#positions.get(key) as TailState, nowMs, this.#log))
    }
    if (isFirst) this.#positions.move(this.name, true)
  }

  /** What is known of a file that was read under another of our paths and has been moved to this one; a link to one that still stands there is no file of its own. */
  #takenOver(file: string): TailState | 'second name' | undefined {
    const id = findFile(file)?.id
    for (const tail of this.#tails.values()) {
      const opened = tail.open.find(({ generation }) => generation.id === id)
      if (opened === undefined) continue
      if (findFile(tail.path)?.id === id) return 'second name'
      const state: TailState = { files: [{ ...opened.generation, path: file }], known: rotatedSiblings(file).map(shortId) }
      tail.drop(opened)
      this.#positions.move(this.#key(tail.path), tail.stateWith())
      this.#positions.move(this.#key(file), state)
      return state
    }
    return undefined
  }

  async #follow(tail: TailedPath): Promise<void> {
    if (this.#trying(tail.path, () => tail.look(this.#clock.monotonicMs()))) this.#positions.move(this.#key(tail.path), tail.stateWith())
    for (const opened of [...tail.open]) {
      for (let parts = 0; ; parts++) {
        if (this.#isStopped) return
        if (parts === PARTS_IN_TURN) {
          // Other files have their turn.
          this.#isAsked = true
          return
        }
        const result = this.#trying(opened.generation.path, () => this.#read(tail, opened)) ?? 'end'
        if (result === 'changed') {
          this.#isAsked = true
          return
        }
        if (result === 'end') break
        // Other work has its turn; a full spool is waited for.
        await new Promise((resolve) => (result === 'wait' ? setTimeout(resolve, WAIT_MS) : setImmediate(resolve)))
      }
    }
  }

  /** Reads the next part of one file. */
  #read(tail: TailedPath, opened: OpenGeneration): 'more' | 'end' | 'wait' | 'changed' {
    const { generation, fd } = opened
    const before = tailBytes(generation)
    const nowMs = this.#clock.monotonicMs()
    const got = fs.readSync(fd, this.#room, 0, this.#room.length, generation.offset - before)
    // Cut and written anew between the look and this.
    if (got < before || !isTail(generation, this.#room.subarray(0, before))) return 'changed'
    const base = generation.offset - before
    if (base + got !== opened.size) {
      opened.size = base + got
      opened.grownMs = nowMs
    }
    const isDone = got < this.#room.length && tail.isDone(opened, nowMs)
    const isLast = opened === tail.open.at(-1)
    const isQuiet = got < this.#room.length && (!isLast || nowMs - opened.grownMs >= QUIET_MS)
    const behind: Behind = isDone ? 'ended' : isQuiet ? 'quiet' : 'growing'
    const { at, isCut } = this.#gatherMessages(before, got, generation.isCut, behind, tail.path)
    if (at > before || isCut !== generation.isCut) {
      const next = readTo(generation, this.#room, base, at, isCut)
      if (!this.#batch.store(this.#key(tail.path), tail.stateWith(next))) {
        this.#batch.clear()
        return 'wait'
      }
      opened.generation = next
      return 'more'
    }
    if (isDone) tail.drop(opened)
    else if (isLast || generation.isAtEnd) return 'end'
    else opened.generation = { ...generation, isAtEnd: true }
    this.#positions.move(this.#key(tail.path), tail.stateWith())
    return 'end'
  }

  /** Puts the messages in the room from `at` on into the batch, as many as it takes. @returns where the next one begins */
  #gatherMessages(at: number, end: number, isCut: boolean, behind: Behind, file: string): { at: number; isCut: boolean } {
    const { rules, pri, hostname, encoding } = this.#options
    const head = composeHead({
      pri,
      timeUs: this.#clock.wallUs(),
      hostname,
      program: this.#options.program ?? path.basename(file, path.extname(file)),
      procid: '',
      structured: element('file@32473', [['path', file]]),
    })
    for (;;) {
      const result = nextMessage(this.#room, at, end, isCut, behind, rules)
      if (result.kind === 'need-more') return { at, isCut }
      if (result.kind === 'message') {
        let text: Uint8Array = this.#room.subarray(result.from, result.to)
        if (encoding === 'latin1') text = Buffer.from(Buffer.from(text).toString('latin1'))
        if (!this.#batch.takes(head.length + text.length)) return { at, isCut }
        this.#batch.add(head, text)
        if (result.isCut) this.#metrics.add('messagesCut', 1)
      }
      at = result.next
      isCut = result.isCut
    }
  }
}

function isLeftBy(file: string, other: string): boolean {
  return file !== other && path.dirname(file) === path.dirname(other) && isRotatedName(path.basename(file), path.basename(other))
}
