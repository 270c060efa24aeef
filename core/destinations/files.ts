// Text files: follows what is durable in the spool, one write per file and chunk. Exactly once across crashes: see replay.ts.

import * as fs from 'node:fs'
import { zstdDecompressSync } from 'node:zlib'
import type { Clock } from '../base/clock.ts'
import { errnoOf, explain } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Attachment, CursorDocument } from '../spool/attachment.ts'
import { CODEC_ZSTD, type RecordHead } from '../spool/batch.ts'
import { comparePositions, type Position } from '../spool/position.ts'
import type { Spool } from '../spool/spool.ts'
import { LINE_EXTRA_BYTES, LINE_GROWTH, TextLineFormatter } from '../syslog/text-line.ts'
import type { ChosenOptions, FilesExtra } from './chosen-files.ts'
import type { DatedClosing } from './dated-closing.ts'
import { DatedFiles, type DatedOptions } from './dated-files.ts'
import { FileCache, type OpenFile } from './file-cache.ts'
import { FileGenerations, type GenerationOptions } from './file-generations.ts'
import { FileMemory } from './file-memory.ts'
import type { Work } from './file-plan.ts'
import { isRotationDue, type RotationOptions, rotateFile } from './file-rotation.ts'
import { FileSyncs } from './file-syncs.ts'
import type { LineMaker } from './line-maker.ts'
import type { Modes } from './open-below.ts'
import { type PathTemplate, pathTemplate } from './path-template.ts'
import type { Planned } from './shaper.ts'

const CHUNK_BYTES = 528 << 10
/** A batch of the usual size when it came compressed. */
const PLAIN_BYTES = 320 << 10
const OUT_BYTES = 1 << 20
// One memory: what was read, what was unpacked, what will be written.
const OUT_START = CHUNK_BYTES + PLAIN_BYTES
const RETRY_MS = 1000
const NOTHING_NEW_MS = 5
/** A file of a path with a date is closed when nothing came for it in this time. */
const IDLE_MS = 600_000
/** Chunks that are written in one turn of the event loop before listeners have theirs. */
const CHUNKS_PER_TURN = 4

export interface FilesOptions {
  readonly template: string
  readonly modes: Modes
  readonly openFilesLimit: number
  /** Nothing is rotated when left out. */
  readonly rotation?: RotationOptions | undefined
  readonly onOpened?: (components: readonly string[]) => void
  /** What is done with closed files; nothing when left out. */
  readonly generations?: GenerationOptions | undefined
  /** Of a path with a date, whose old files are removed or closed; `closed` is the generations' own. */
  readonly dated?: (Pick<DatedOptions, 'pattern' | 'expire'> & { readonly closing?: Omit<DatedClosing, 'closed'> | undefined }) | undefined
  /** `batch`: each chunk is on the disk before the next one is begun; else what a checkpoint counts on is. */
  readonly fsync?: 'batch' | 'checkpoint' | undefined
  /** Where not every message goes to the file of its host, as a line of the usual form. */
  readonly chosen?: ChosenOptions | undefined
}

export class FilesDestination {
  readonly #options: FilesOptions
  readonly #spool: Spool
  readonly #attachment: Attachment
  readonly #log: Log
  readonly #metrics: Metrics
  readonly #clock: Clock
  readonly #path: PathTemplate
  readonly #cache: FileCache
  readonly #generations: FileGenerations | undefined
  readonly #dated: DatedFiles | undefined
  /** Open files whose closed ones have been looked for. */
  readonly #looked = new WeakSet<OpenFile>()
  #input = Buffer.from(new ArrayBuffer(OUT_START + OUT_BYTES))
  #formatter: TextLineFormatter
  readonly #memory: FileMemory
  readonly #syncs = new FileSyncs()
  /** Bytes of the output behind the acknowledged position that are in the file already, by host, when a write failed half-way. */
  readonly #written = new Map<string, number>()
  /** Bytes of that output that have been made in this pass. */
  readonly #made = new Map<string, number>()
  /** Where the spool ended when this began. */
  readonly #startEnd: Position
  #isWaiting = false
  #isStopped = false
  #isScheduled = false
  #trouble = ''
  #retry: NodeJS.Timeout | undefined
  readonly #unsubscribe: () => void

  constructor(options: FilesOptions, spool: Spool, attachment: Attachment, log: Log, metrics: Metrics, clock: Clock) {
    this.#options = options
    this.#spool = spool
    this.#attachment = attachment
    this.#log = log
    this.#metrics = metrics
    this.#clock = clock
    this.#startEnd = spool.end()
    this.#path = options.chosen?.planner ?? pathTemplate(options.template)
    this.#cache = new FileCache(this.#path, options.modes, options.openFilesLimit, clock, options.onOpened)
    const isNeeded = (inode: number): boolean => this.#needs(inode)
    const { dated, generations: closed = options.rotation } = options
    if (closed !== undefined) this.#generations = new FileGenerations(closed, this.#path.base, isNeeded, log)
    if (dated !== undefined) {
      const closing = dated.closing && {
        ...dated.closing,
        closed: (components: readonly string[]) => this.#generations?.look(components.join('/'), components),
      }
      this.#dated = new DatedFiles({ ...dated, closing }, isNeeded, log)
    }
    this.#formatter = new TextLineFormatter(new Uint8Array(this.#input.buffer as ArrayBuffer))
    const extra = attachment.restored?.extra as FilesExtra | undefined
    this.#memory = new FileMemory(extra?.files ?? [], log)
    attachment.checkpointFrom(
      () => this.#checkpoint(),
      (document) => {
        const { files } = document.extra as FilesExtra
        this.#memory.remember(files)
        this.#generations?.settle()
        if (this.#dated === undefined) return
        // Else the files of days long past would be open, and so be needed, for as long as there is room.
        this.#cache.closeIdle(IDLE_MS, (host) => this.#written.has(host) || this.#memory.replay(host) !== undefined)
        this.#dated.settle(clock.monotonicMs(), clock.wallUs() / 1000)
      },
    )
    this.#unsubscribe = spool.onSynced(() => this.#schedule())
  }

  start(): void {
    this.#schedule()
  }

  status(): Record<string, string | number> {
    return {
      kind: 'files',
      path: this.#options.template,
      state: this.#isStopped ? 'stopped' : this.#trouble === '' ? 'following' : 'failing',
      trouble: this.#trouble,
      open_files: this.#cache.count,
      open_files_limit: this.#options.openFilesLimit,
      ...this.#options.chosen?.shaper?.status(),
      lag_bytes: this.#spool.lagBytes(this.#attachment),
    }
  }

  /** Writes what is durable until the signal says that time is up. The spool's close makes the last checkpoint. */
  async stop(deadline: AbortSignal): Promise<void> {
    while (!deadline.aborted && this.#trouble === '' && this.#spool.lagBytes(this.#attachment) > 0) {
      const before = this.#attachment.acknowledged
      this.#pump()
      // What is left may not be durable yet.
      await new Promise((resolve) => setTimeout(resolve, this.#attachment.acknowledged === before ? NOTHING_NEW_MS : 0))
    }
    this.#isStopped = true
    this.#unsubscribe()
    clearTimeout(this.#retry)
    await this.#generations?.stop()
    await this.#dated?.stop()
  }

  /** Files that were moved away are noticed with the next line, not within half a second. */
  reopen(): void {
    this.#cache.forgetChecks()
  }

  /** After the last checkpoint. */
  close(): void {
    // Behind what was not reached yet may stand our own lines; only when nothing is left to write are they someone else's.
    this.#memory.close(new Set(this.#cache.open), this.#spool.lagBytes(this.#attachment) === 0)
    this.#cache.closeAll()
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isWaiting || this.#isStopped) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    if (this.#isWaiting || this.#isStopped) return
    try {
      const { chosen } = this.#options
      // Those that read together go in step, so that each finds what was read for another.
      for (let turn = 0; turn < (chosen === undefined ? CHUNKS_PER_TURN : 1); turn++) {
        const work = chosen === undefined ? this.#nextByHost() : this.#nextChosen(chosen)
        if (work === undefined) return
        if (!this.#writeWork(work)) return
      }
      this.#schedule()
    } catch (error) {
      this.#attachment.follower.seek(this.#attachment.acknowledged)
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    const text = explain(error).replace(/\n\s*/, '. ')
    if (errnoOf(error) === undefined && !(error instanceof Error && 'remedy' in error)) throw error
    if (text !== this.#trouble) {
      this.#log.error(
        'files-failed',
        `Cannot write to the files of ${this.#options.template}: ${text}. The spool keeps everything; it is tried again every second`,
        {},
      )
    }
    this.#trouble = text
    this.#isWaiting = true
    this.#retry = setTimeout(() => {
      this.#isWaiting = false
      this.#pump()
    }, RETRY_MS)
  }

  /** Everything, by host. As many hosts as files may be open at once: all have to be known to one checkpoint before the first line is written. */
  #nextByHost(): Work | undefined {
    const chunk = this.#attachment.follower.read(this.#input.subarray(0, CHUNK_BYTES), 8)
    if (chunk === undefined) return undefined
    const byHost = new Map<string, RecordHead[]>()
    let taken = 0
    let messages = 0
    for (const head of chunk.heads) {
      const heads = byHost.get(head.origin)
      if (heads !== undefined) heads.push(head)
      else if (byHost.size < this.#options.openFilesLimit) byHost.set(head.origin, [head])
      else break
      taken++
      messages += head.take
    }
    const end = chunk.positions[taken - 1]!
    if (taken < chunk.heads.length) this.#attachment.follower.seek(end)
    return { keys: byHost, end, messages, records: taken, write: (host) => this.#writeHost(host, byHost.get(host)!, chunk.bytes) }
  }

  /** What is chosen, by file. */
  #nextChosen({ records, planner, lines, shaper }: ChosenOptions): Work | undefined {
    const chunk = records.read(this.#attachment)
    if (chunk === undefined) return undefined
    // What was planned before and not written is planned anew.
    shaper?.rewind()
    const { byFile, taken, messages } = planner.plan(chunk.records, this.#options.openFilesLimit)
    const { end } = chunk.records[taken - 1]!
    if (taken < chunk.records.length) this.#attachment.follower.seek(end)
    return { keys: byFile, end, messages, records: taken, write: (key) => this.#writePlanned(key, byFile.get(key)!, lines) }
  }

  /** @returns false when a checkpoint or a sync has to come first */
  #writeWork({ keys, end, messages, records, write }: Work): boolean {
    for (const key of keys.keys()) {
      this.#cache.recheck(key)
      this.#rotateIfDue(key)
    }
    if (this.#needsCheckpoint(keys.keys())) {
      this.#attachment.follower.seek(this.#attachment.acknowledged)
      this.#checkpointFirst()
      return false
    }
    this.#made.clear()
    for (const key of keys.keys()) write(key)
    this.#written.clear()
    for (const key of keys.keys()) this.#memory.settle(this.#cache.get(key))
    this.#attachment.acknowledge(end, messages > 0)
    this.#options.chosen?.shaper?.settle(records)
    this.#metrics.add('messagesFiled', messages)
    if (this.#trouble !== '') {
      this.#log.info('files-recovered', `Writing to the files of ${this.#options.template} again`, {})
      this.#trouble = ''
    }
    return this.#options.fsync === 'batch' ? this.#syncFirst() : true
  }

  /** @returns false: it goes on when what was written is on the disk */
  #syncFirst(): boolean {
    this.#isWaiting = true
    const dirty = [...this.#cache.open].filter((file) => file.isDirty)
    Promise.all(dirty.map((file) => this.#sync(file))).then(
      () => {
        this.#isWaiting = false
        this.#pump()
      },
      // What is written counts as such; the next checkpoint makes it durable.
      (error) => this.#fail(error),
    )
    return false
  }

  /** Between two lines and not while a replay compares: what is in the file by now is all ours and acknowledged. */
  #rotateIfDue(key: string): void {
    const { rotation } = this.#options
    if (rotation === undefined || this.#written.has(key)) return
    const file = this.#cache.get(key)
    const components = this.#path.components(key)
    if (!this.#looked.has(file)) {
      this.#looked.add(file)
      this.#generations!.look(key, components)
    }
    if (this.#memory.isCompared(file)) return
    const nowSecond = Math.floor(this.#clock.wallUs() / 1_000_000)
    if (!isRotationDue(file, rotation, nowSecond)) return
    rotateFile(file, this.#path.base, components, nowSecond)
    this.#cache.close(key)
    this.#generations!.look(key, components)
  }

  /** Opens the files and says whether one of them is new to the durable checkpoint. */
  #needsCheckpoint(hosts: Iterable<string>): boolean {
    let isNew = false
    for (const host of hosts) if (this.#memory.begin(this.#cache.get(host), this.#written.has(host))) isNew = true
    return isNew
  }

  #needs(inode: number): boolean {
    return [...this.#cache.open].some((file) => file.inode === inode) || this.#memory.needs(inode)
  }

  #checkpointFirst(): void {
    this.#isWaiting = true
    this.#attachment.checkpointNow().then(
      () => {
        this.#isWaiting = false
        this.#pump()
      },
      (error) => this.#fail(error),
    )
  }

  /** Position and sizes belong together: both are taken here, before anything is awaited. */
  async #checkpoint(): Promise<CursorDocument> {
    const position: Position = this.#attachment.acknowledged
    const open = [...this.#cache.open]
    const files = this.#memory.taken(open, this.#isCaughtUp(position))
    const shaper = this.#options.chosen?.shaper?.saved()
    for (const file of open.filter((candidate) => candidate.isDirty)) await this.#sync(file)
    return { position, extra: { files, shaper } satisfies FilesExtra }
  }

  /** The process before this one can have written nothing that has not come again. At the end of a segment it is as well there as at the begin of the next one. */
  #isCaughtUp(position: Position): boolean {
    return comparePositions(position, this.#startEnd) >= 0 || this.#spool.lagBytes(this.#attachment) === 0
  }

  #sync(file: OpenFile): Promise<void> {
    return this.#syncs.sync(file, this.#memory.remembered(file.host))
  }

  #writeHost(host: string, heads: readonly RecordHead[], bytes: Buffer): void {
    const file = this.#cache.get(host)
    this.#formatter.setOrigin(host)
    this.#formatter.newInput(OUT_START)
    let out = OUT_START
    for (const head of heads) {
      const plain = this.#plainPayload(head, bytes)
      if (plain === undefined) continue
      const { source } = plain
      let at = plain.start
      for (let index = 0; index < head.skip + head.take && at + 4 <= plain.end; index++) {
        const length = source.readUInt32LE(at)
        at += 4
        if (index >= head.skip) {
          const room = length * LINE_GROWTH + LINE_EXTRA_BYTES
          if (source.buffer !== this.#input.buffer || room > OUT_BYTES) {
            // What was gathered before it comes first.
            if (out > OUT_START) this.#append(file, this.#input, OUT_START, out)
            out = OUT_START
            this.#writeApart(file, source, at, at + length, room, host)
          } else {
            if (out + room > OUT_START + OUT_BYTES) {
              this.#append(file, this.#input, OUT_START, out)
              out = OUT_START
            }
            out = this.#formatter.format(at, at + length, out)
          }
        }
        at += length
      }
    }
    this.#append(file, this.#input, OUT_START, out)
  }

  #writePlanned(key: string, planned: readonly Planned[], lines: LineMaker): void {
    const file = this.#cache.get(key)
    let out = OUT_START
    for (const { record, messages } of planned) {
      const { bytes, places, context } = record
      for (const index of messages) {
        context.sequence = context.firstSequence + index
        lines.make(bytes, places[index * 2]!, places[index * 2 + 1]!, context)
        const length = lines.end - lines.start
        if (out + length > OUT_START + OUT_BYTES) {
          this.#append(file, this.#input, OUT_START, out)
          out = OUT_START
        }
        if (length > OUT_BYTES) this.#append(file, lines.bytes, lines.start, lines.end)
        else {
          this.#input.set(lines.bytes.subarray(lines.start, lines.end), out)
          out += length
        }
      }
    }
    this.#append(file, this.#input, OUT_START, out)
  }

  /** The record's messages as they are when plain; where they came compressed, in our own memory if there is room. */
  #plainPayload(head: RecordHead, bytes: Buffer): { source: Buffer; start: number; end: number } | undefined {
    if (head.codec !== CODEC_ZSTD) return { source: bytes, start: head.payloadStart, end: head.end }
    let plain: Buffer
    try {
      plain = zstdDecompressSync(bytes.subarray(head.payloadStart, head.end), { maxOutputLength: head.plainBytes })
    } catch (error) {
      // It was sound when it was taken in. Trying again would help nobody, and stopping here would stop every host.
      this.#metrics.add('recordsQuarantined', 1)
      const text = `${head.take} messages of ${head.origin} cannot be read from the spool and are not filed: ${(error as Error).message}`
      this.#log.error('record-unreadable', text, { stream: head.stream, first: head.first + head.skip, messages: head.take })
      return undefined
    }
    if (plain.length > PLAIN_BYTES) return { source: plain, start: 0, end: plain.length }
    plain.copy(this.#input, CHUNK_BYTES)
    this.#formatter.newInput(OUT_START)
    return { source: this.#input, start: CHUNK_BYTES, end: CHUNK_BYTES + plain.length }
  }

  /** The rare message that is not in our memory, or too large for it. */
  #writeApart(file: OpenFile, source: Buffer, start: number, end: number, room: number, host: string): void {
    const memory = new Uint8Array(new ArrayBuffer(Math.ceil((8 + end - start + room) / 4) * 4))
    memory.set(source.subarray(start, end), 8)
    const formatter = new TextLineFormatter(memory)
    formatter.setOrigin(host)
    const out = 8 + end - start
    this.#append(file, memory, out, formatter.format(8, out, out))
  }

  /** Adds what is not there yet: neither from the pass before, whose write failed half-way, nor from the process before. */
  #append(file: OpenFile, bytes: Uint8Array, start: number, end: number): void {
    const { host } = file
    const made = this.#made.get(host) ?? 0
    const there = Math.min(Math.max((this.#written.get(host) ?? 0) - made, 0), end - start)
    let from = start + there
    const replay = this.#memory.replay(host)
    try {
      if (replay !== undefined && !replay.isDone) from += replay.alreadyWritten(bytes, from, end)
      while (from < end) {
        file.isDirty = true
        const done = fs.writeSync(file.fd, bytes, from, end - from)
        from += done
        file.size += done
      }
    } finally {
      this.#made.set(host, made + from - start)
      this.#written.set(host, Math.max(this.#written.get(host) ?? 0, made + from - start))
    }
  }
}
