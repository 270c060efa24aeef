// The spool: sources append, each destination follows with its own durable cursor, nothing else buffers.
// Bytes, invariants and what each crash leaves: FORMAT.md.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { writeDocument, writeDocumentLater } from '../base/checked-document.ts'
import { errnoOf } from '../base/errors.ts'
import { type Files, writeAll } from '../base/files.ts'
import { Listeners } from '../base/listeners.ts'
import { Attachment, auditShown, readCursor } from './attachment.ts'
import { encodeEnvelope, type NewBatch, type RecordHead } from './batch.ts'
import { RECORD_LIMIT_BYTES, SEGMENT_BYTES, SEGMENT_HEADER_BYTES } from './constants.ts'
import { type Followed, Follower } from './follower.ts'
import { FreeSpace } from './free-space.ts'
import { GroupCommit } from './group-commit.ts'
import type { Hop } from './hops.ts'
import { comparePositions, type Position } from './position.ts'
import { groupsOf, type PayloadBatch, RecordGroup } from './record-group.ts'
import { type Finding, quarantine, recover, STREAMS_FILE } from './recovery.ts'
import { Rescue, type Segment } from './rescue.ts'
import { createSegment, segmentPath } from './segment.ts'
import type { SpoolOptions, SpoolWorld } from './spool-options.ts'
import { nextState, readState, type SpoolState, writeState } from './spool-state.ts'
import type { Streams } from './streams.ts'
import { syncParent } from './sync-parent.ts'

/** Each part stores the whole batch again: a batch that fills more gaps is refused, and what is left comes again. */
const PARTS_LIMIT = 16

export type Stored = { readonly kind: 'stored'; readonly messages: number } | { readonly kind: 'refused'; readonly reason: string }

const SYNC_RETRY_MS = 1000

export class Spool implements Followed {
  readonly files: Files
  readonly segmentsDirectory: string
  readonly findings: readonly Finding[]
  /** Disk space that it may take; a reload may change it. */
  limitBytes: number
  readonly #directory: string
  readonly #segmentBytes: number
  readonly #syncRetryMs: number
  readonly #world: SpoolWorld
  readonly #state: SpoolState
  readonly #segments = new Map<number, Segment>()
  readonly #streams: Streams
  readonly #commit: GroupCommit
  readonly #group = new RecordGroup()
  readonly #freeSpace: FreeSpace
  readonly #attachments: Attachment[] = []
  readonly #appended = new Listeners()
  readonly #synced = new Listeners()
  #current = 0
  #lowest = 0
  /** From this segment on this process has written every byte. */
  #firstOurs = 0
  #usedBytes = 0
  #covered: Position = { segment: 0, offset: 0 }
  /** Messages in all the spool's life, and whether cursors may be held to it. */
  #messages = 0
  #isCounted = true
  /** The highest segment whose entry in the folder is durable. */
  #folderSynced = 0
  readonly #rescue = new Rescue()
  #isStreamAtRisk = false
  /** How often that has been done. */
  #moves = 0
  #isClosed = false
  #checkpointing: Promise<void> | undefined

  private constructor(options: SpoolOptions, world: SpoolWorld) {
    const { files } = world
    this.files = files
    this.#world = world
    this.#directory = options.directory
    this.limitBytes = options.limitBytes
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES
    this.#syncRetryMs = options.syncRetryMs ?? SYNC_RETRY_MS
    this.segmentsDirectory = path.join(options.directory, 'segments')
    for (const folder of [options.directory, this.segmentsDirectory, path.join(options.directory, 'cursors')])
      files.makeDirectory(folder, 0o700)
    // A folder whose own entry is lost takes all that was acknowledged in it along.
    files.syncDirectory(options.directory)
    syncParent(files, options.directory)
    const { state, damage } = readState(files, options.directory)
    const recovered = recover(files, options.directory)
    this.findings = [
      ...recovered.findings,
      ...(damage === undefined
        ? []
        : [{ kind: 'damaged-document' as const, file: 'state', bytes: 0, text: `${damage}; a new stream begins` }]),
    ]
    this.#streams = recovered.streams
    this.#messages = recovered.messages
    this.#isCounted = recovered.isCounted
    for (const [number, size] of recovered.segments) {
      this.#segments.set(number, { size, syncedEnd: size, fd: -1 })
      this.#usedBytes += size
      this.#current = this.#folderSynced = number
      this.#lowest ||= number
    }
    this.#firstOurs = this.#current + 1
    this.#state = nextState(state, world.bootId, recovered.findings.length > 0)
    this.#streams.keep(this.#state.stream)
    writeState(files, options.directory, this.#state)
    this.#freeSpace = new FreeSpace(files, options.directory)
    this.#commit = new GroupCommit(() => this.#syncAll())
    const last = this.#segments.get(this.#current)
    // Nothing is appended behind damage: what ends a torn record there would be taken for its rest.
    if (last === undefined || last.size >= this.#segmentBytes || recovered.findings.length > 0) {
      this.#current = recovered.highest
      this.#roll()
    } else last.fd = files.open(segmentPath(this.segmentsDirectory, this.#current), fs.constants.O_RDWR, 0)
  }

  /**
   * Opens or makes the spool; recovery's findings are in `findings`. The caller holds the lock.
   * @throws the errno of the failing call; opening again is safe
   */
  static open(options: SpoolOptions, world: SpoolWorld): Spool {
    return new Spool(options, world)
  }

  /** Id of this node among the hops, 32 hex digits. */
  get id(): string {
    return this.#state.id
  }

  /** Stream of the messages that begin at this node. */
  get stream(): string {
    return this.#state.stream
  }

  /** Which sequences it has had, and which comes next. */
  get had(): Pick<Streams, 'missing' | 'next'> {
    return this.#streams
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get streamsCount(): number {
    return this.#streams.size
  }

  /** Whether there have been messages of that origin. */
  knowsOrigin(origin: string): boolean {
    return this.#streams.hasOrigin(origin)
  }

  hasRoom(bytes: number): boolean {
    return this.#usedBytes + bytes <= this.limitBytes
  }

  /** Called after each append; must not throw. @returns what ends it */
  onAppended(listener: () => void): () => void {
    return this.#appended.add(listener)
  }

  /** Called after each sync; must not throw. @returns what ends it */
  onSynced(listener: () => void): () => void {
    return this.#synced.add(listener)
  }

  /**
   * Stores new messages of `origin` in this node's own stream. The payload stands at `bytes[payloadStart..payloadEnd]`, behind
   * BATCH_HEADROOM_BYTES of room.
   * @throws the errno of the failing write; nothing is stored then
   */
  appendBatch(bytes: Buffer, payloadStart: number, payloadEnd: number, batch: Omit<NewBatch, 'stream' | 'first'>): void {
    this.#appendGroup([{ ...batch, bytes, start: payloadStart, end: payloadEnd }])
    this.#appended.tell()
  }

  /**
   * The same for batches of many origins, in as few writes as can be.
   * @param onFailed called with the errno for each that is not stored; the others are
   */
  appendBatches<T extends PayloadBatch>(batches: readonly T[], onFailed: (batch: T, error: unknown) => void): void {
    for (const group of groupsOf(batches))
      try {
        this.#appendGroup(group)
      } catch (error) {
        if (errnoOf(error) === undefined) throw error
        if (group.length === 1) onFailed(group[0]!, error)
        // What has no room together may have some one by one.
        else for (const batch of group) this.appendBatches([batch], onFailed)
      }
    this.#appended.tell()
  }

  #appendGroup(group: readonly PayloadBatch[]): void {
    const nextOf = (origin: string): number => this.#streams.next(origin, this.stream)
    this.#write([this.#group.framed(group, this.stream, nextOf, this.#world.clock.wallUs())])
    for (const { origin, count } of group) {
      const first = nextOf(origin)
      this.#streams.add(origin, this.stream, first, first + count - 1)
      this.#messages += count
    }
  }

  /**
   * Stores what of a received record is new; what it has had already is passed over.
   * @param hops the way so far, this node last
   * @throws the errno of the failing write; parts before it may be stored, and the rest is stored when the record comes again
   */
  appendReceived(bytes: Buffer, head: RecordHead, hops: readonly Hop[]): Stored {
    const from = head.first + head.skip
    const parts = this.#streams.missing(head.origin, head.stream, from, from + head.take - 1)
    if (parts.length === 0) return { kind: 'stored', messages: 0 }
    if (!this.#streams.hasRoom(head.origin, head.stream)) return { kind: 'refused', reason: `stream ${head.stream} has too many gaps` }
    const batch = bytes.subarray(head.batchStart, head.end)
    let messages = 0
    for (const [low, high] of parts.slice(0, PARTS_LIMIT)) {
      const window = { skip: low - head.first, take: high - low + 1 }
      this.#write([encodeEnvelope(batch.length, window, hops, this.#world.clock.wallUs()), batch])
      this.#streams.add(head.origin, head.stream, low, high)
      messages += window.take
      this.#messages += window.take
    }
    this.#appended.tell()
    if (parts.length > PARTS_LIMIT)
      return { kind: 'refused', reason: `batch fills ${parts.length} gaps, ${PARTS_LIMIT} are filled at a time` }
    return { kind: 'stored', messages }
  }

  /** Resolves when all that was appended before the call is on stable storage. Never rejects: it waits until the disk holds again. */
  commit(): Promise<void> {
    return this.#isAllSynced() ? Promise.resolve() : this.#commit.request()
  }

  /**
   * Attaches a destination under its name, at its cursor or else at the oldest record kept.
   * @param onlySynced show it nothing that a power cut could take back
   */
  attach(name: string, onlySynced: boolean): Attachment {
    const { document, damage } = readCursor(this.files, this.#directory, name)
    if (damage !== undefined) {
      this.#world.onBadRecord({
        kind: 'damaged-document',
        file: `${name}.cursor`,
        bytes: 0,
        text: `${damage}; starts at the oldest record kept`,
      })
    }
    const oldest = { segment: this.#lowest, offset: SEGMENT_HEADER_BYTES }
    const end = this.end()
    const usable = document !== undefined && comparePositions(document.position, end) <= 0
    const position = usable && comparePositions(document.position, oldest) > 0 ? document.position : oldest
    const followed: Followed = onlySynced ? this : { ...this.#asWritten(), files: this.files }
    const attachment = new Attachment(
      this.files,
      this.#directory,
      name,
      new Follower(followed, this.#isCounted ? position : { ...position, messages: undefined }),
      usable ? document : undefined,
      () => this.commit(),
    )
    this.#attachments.push(attachment)
    return attachment
  }

  /** The hold of the destination of that name, which is attached. */
  attachment(name: string): Attachment {
    return this.#attachments.find((attachment) => attachment.name === name)!
  }

  /** Lets go of a destination that has stopped. @param isGone its cursor goes too; else the next attachment goes on there. @throws the errno */
  async detach(attachment: Attachment, isGone: boolean): Promise<void> {
    await attachment.close()
    this.#attachments.splice(this.#attachments.indexOf(attachment), 1)
    if (isGone) attachment.forget()
  }

  /** Bytes between the destination's acknowledged place and the end. */
  lagBytes(attachment: Attachment): number {
    let bytes = 0
    for (const [number, segment] of this.#segments) {
      if (number > attachment.acknowledged.segment) bytes += segment.size - SEGMENT_HEADER_BYTES
      else if (number === attachment.acknowledged.segment) bytes += segment.size - attachment.acknowledged.offset
    }
    return Math.max(0, bytes)
  }

  readable(number: number): { end: number; isSealed: boolean; isOurs: boolean } {
    const segment = this.#segments.get(number)
    return {
      end: segment?.syncedEnd ?? 0,
      isSealed: number < this.#current && segment?.syncedEnd === segment?.size,
      isOurs: number >= this.#firstOurs,
    }
  }

  segmentAtOrBehind(number: number): number | undefined {
    const wanted = Math.max(number, this.#lowest)
    return wanted <= this.#current ? wanted : undefined
  }

  onBad(segment: number, fd: number, from: number, to: number, reason: string): void {
    let file = segmentPath(this.segmentsDirectory, segment)
    let kept = ''
    try {
      file = quarantine(this.files, this.#directory, segment, fd, from, to)
    } catch (error) {
      // On a full disk the destination has to get past it, or nothing would ever be freed.
      if (errnoOf(error) === undefined) throw error
      kept = `, and it could not be kept in quarantine: ${errnoOf(error)}`
    }
    this.#world.onBadRecord({ kind: 'bad-record', file, bytes: to - from, text: `${reason}, in segment ${segment} at ${from}${kept}` })
  }

  /**
   * Makes cursors and streams durable and frees the segments that nobody needs. Calls while one is under way share it.
   * @throws the errno of a failing write; nothing is freed that is still needed
   */
  checkpoint(): Promise<void> {
    this.#checkpointing ??= this.#checkpoint().finally(() => {
      this.#checkpointing = undefined
    })
    return this.#checkpointing
  }

  /** Syncs, writes cursors and streams, marks the spool as closed cleanly. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#checkpointing?.catch(() => undefined)
    await this.commit()
    for (const attachment of this.#attachments) await attachment.close()
    writeDocument(this.files, path.join(this.#directory, STREAMS_FILE), 'streams', this.#streamsDocument())
    this.#free()
    for (const segment of this.#segments.values()) if (segment.fd !== -1) this.files.close(segment.fd)
    writeState(this.files, this.#directory, { ...this.#state, isClosed: true })
  }

  #asWritten(): Omit<Followed, 'files'> {
    return {
      segmentsDirectory: this.segmentsDirectory,
      readable: (number) => ({
        end: this.#segments.get(number)?.size ?? 0,
        isSealed: number < this.#current,
        isOurs: number >= this.#firstOurs,
      }),
      segmentAtOrBehind: (number) => this.segmentAtOrBehind(number),
      onBad: (segment, fd, from, to, reason) => this.onBad(segment, fd, from, to, reason),
    }
  }

  /** Where the next record will stand. */
  end(): Position {
    return { segment: this.#current, offset: this.#segments.get(this.#current)!.size, messages: this.#messages }
  }

  #isAllSynced(): boolean {
    const current = this.#segments.get(this.#current)!
    return (
      this.#folderSynced >= this.#current && this.#rescue.isEmpty && current.syncedEnd === current.size && this.#unsynced().length === 0
    )
  }

  /** A sealed segment that is synced is not written to any more; hundreds may wait for a destination that is down. */
  #closeIfDone(segment: Segment | undefined): void {
    if (segment === undefined || segment === this.#segments.get(this.#current)) return
    if (segment.fd === -1 || segment.syncedEnd !== segment.size) return
    this.files.close(segment.fd)
    segment.fd = -1
  }

  #roll(): void {
    const number = this.#current + 1
    const fd = createSegment(this.files, this.segmentsDirectory, number, this.#state.id, this.#world.clock.wallUs())
    this.#segments.set(number, { size: SEGMENT_HEADER_BYTES, syncedEnd: 0, fd })
    this.#usedBytes += SEGMENT_HEADER_BYTES
    this.#current = number
    this.#lowest ||= number
    this.#closeIfDone(this.#segments.get(number - 1))
  }

  /** Appends the parts as one record. @throws the errno; the segment ends again where it ended before */
  #write(parts: readonly Uint8Array[]): void {
    let bytes = 0
    for (const part of parts) bytes += part.length
    // Readers pass over what is longer, and look for records inside it.
    if (bytes > RECORD_LIMIT_BYTES) throw new RangeError(`Cannot store a record of ${bytes} bytes: at most ${RECORD_LIMIT_BYTES}`)
    this.#freeSpace.take(bytes)
    let segment = this.#segments.get(this.#current)!
    if (segment.size + bytes > this.#segmentBytes && segment.size > SEGMENT_HEADER_BYTES) {
      this.#roll()
      segment = this.#segments.get(this.#current)!
    }
    try {
      let at = segment.size
      for (const part of parts) {
        writeAll(this.files, segment.fd, part, at)
        at += part.length
      }
    } catch (error) {
      // A short write may have left a part of a record; nobody reads behind `size`, and the next record overwrites it.
      this.files.truncate(segment.fd, segment.size)
      throw error
    }
    segment.size += bytes
    this.#usedBytes += bytes
  }

  async #syncAll(): Promise<void> {
    for (let isPoisoned = false; ; ) {
      try {
        if (isPoisoned || !this.#rescue.isEmpty) this.#moveUnsynced()
        isPoisoned = false
        await this.#syncOnce()
        break
      } catch (error) {
        isPoisoned = true
        this.#world.onSyncFailure(error)
        await new Promise((resolve) => setTimeout(resolve, this.#syncRetryMs))
      }
    }
    this.#synced.tell()
  }

  /** Segments with bytes behind their last sync, oldest first: always the newest ones. */
  #unsynced(): Segment[] {
    const unsynced: Segment[] = []
    for (let number = this.#current; number >= this.#lowest; number--) {
      const segment = this.#segments.get(number)
      if (segment === undefined || segment.syncedEnd === segment.size) break
      unsynced.unshift(segment)
    }
    return unsynced
  }

  async #syncOnce(): Promise<void> {
    const newest = this.#current
    const syncing = this.#unsynced().map((segment) => ({ segment, size: segment.size }))
    for (const { segment } of syncing) await this.files.syncData(segment.fd)
    if (this.#folderSynced < newest) await this.files.syncDirectoryLater(this.segmentsDirectory)
    this.#folderSynced = newest
    // Only now: what followers may read and senders may forget rests on the file and on its entry in the folder.
    for (const { segment, size } of syncing) {
      segment.syncedEnd = size
      this.#closeIfDone(segment)
    }
  }

  /** Moves all that is unsynced into a new segment after a failed sync. @throws the errno of the failing call; the next try goes on */
  #moveUnsynced(): void {
    // Until this is over a mere crash may lose what nobody has answered for, and its sequences must not be given out again.
    if (!this.#isStreamAtRisk) writeState(this.files, this.#directory, { ...this.#state, bootId: undefined })
    this.#isStreamAtRisk = true
    for (const segment of this.#unsynced()) this.#usedBytes -= this.#rescue.take(this.files, segment)
    this.#rescue.cut(this.files)
    this.#roll()
    for (const segment of this.#rescue.takeEnded()) this.#closeIfDone(segment)
    this.#usedBytes += this.#rescue.put(this.files, this.#segments.get(this.#current)!)
    this.#moves++
  }

  #streamsDocument(): { position: Position; streams: ReturnType<Streams['snapshot']> } {
    return { position: this.end(), streams: this.#streams.snapshot() }
  }

  async #checkpoint(): Promise<void> {
    auditShown(this.#attachments, this.end(), this.#messages, this.#world.onMiscount)
    // One that fails keeps the others from nothing.
    const results = await Promise.allSettled(this.#attachments.map((attachment) => attachment.checkpoint()))
    for (const result of results) if (result.status === 'rejected') throw result.reason
    if (comparePositions(this.#covered, this.end()) !== 0) {
      let moves = this.#moves
      // Taken now, written only when all that it counts is durable: it must never claim what a power cut takes back.
      let document = this.#streamsDocument()
      await this.commit()
      while (this.#moves !== moves) {
        // A failed sync has moved what the document counts to another place.
        moves = this.#moves
        document = this.#streamsDocument()
        await this.commit()
      }
      await writeDocumentLater(this.files, path.join(this.#directory, STREAMS_FILE), 'streams', document)
      this.#covered = document.position
    }
    this.#free()
  }

  #free(): void {
    let keep = Math.min(this.#current, this.#isClosed ? this.#current : this.#covered.segment)
    for (const attachment of this.#attachments) keep = Math.min(keep, attachment.durable.segment)
    for (; this.#lowest < keep; this.#lowest++) {
      const segment = this.#segments.get(this.#lowest)
      if (segment === undefined) continue
      if (segment.fd !== -1) this.files.close(segment.fd)
      this.files.unlink(segmentPath(this.segmentsDirectory, this.#lowest))
      this.#usedBytes -= segment.size
      this.#segments.delete(this.#lowest)
    }
  }
}
