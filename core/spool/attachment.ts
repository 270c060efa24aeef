import * as path from 'node:path'
import { readDocument, writeDocument, writeDocumentLater } from '../base/checked-document.ts'
import type { Files } from '../base/files.ts'
import type { Follower } from './follower.ts'
import { comparePositions, type Position } from './position.ts'

export interface CursorDocument {
  readonly position: Position
  /** What the destination itself wants to find again, in step with the position. */
  readonly extra?: unknown
}

/** Called for each checkpoint; what it returns is written. It may sync files of its own first. */
export type CheckpointSource = () => Promise<CursorDocument> | CursorDocument

/** A destination's hold on the spool: its follower, and its durable cursor, behind which segments are freed. */
export class Attachment {
  readonly name: string
  readonly follower: Follower
  /** What the cursor file held at start. */
  readonly restored: CursorDocument | undefined
  #acknowledged: Position
  #durable: Position
  #source: CheckpointSource
  #onDurable: (document: CursorDocument) => void = () => undefined
  #writing: Promise<void> = Promise.resolve()
  #isClosed = false
  /** Since the cursor was written. */
  #hasTaken = false
  readonly #files: Files
  readonly #commit: () => Promise<void>
  readonly #file: string

  /** @param commit resolves when all that was appended before is durable */
  constructor(
    files: Files,
    directory: string,
    name: string,
    follower: Follower,
    restored: CursorDocument | undefined,
    commit: () => Promise<void>,
  ) {
    this.#files = files
    this.#commit = commit
    this.#file = cursorPath(directory, name)
    this.name = name
    this.follower = follower
    this.restored = restored
    this.#acknowledged = follower.next
    this.#durable = follower.next
    this.#source = () => ({ position: this.#acknowledged })
  }

  /** Up to here the destination is done. */
  get acknowledged(): Position {
    return this.#acknowledged
  }

  /** Up to here the cursor file says so. */
  get durable(): Position {
    return this.#durable
  }

  /**
   * @param hasTaken false where what lies before the position was only passed over: that may be done again after a crash, so its cursor is written when it
   * comes to another segment, and not each second as those of destinations that take something
   */
  acknowledge(position: Position, hasTaken = true): void {
    this.#acknowledged = position
    this.#hasTaken ||= hasTaken
  }

  /** @param onDurable called with each document once it stands on the disk */
  checkpointFrom(source: CheckpointSource, onDurable: (document: CursorDocument) => void = () => undefined): void {
    this.#source = source
    this.#onDurable = onDurable
  }

  /** @throws the errno of the failing write; the old cursor stands */
  async checkpoint(): Promise<void> {
    const { segment } = this.#acknowledged
    const isDue = this.#hasTaken || segment !== this.#durable.segment
    if (isDue && comparePositions(this.#acknowledged, this.#durable) !== 0) await this.checkpointNow()
  }

  /** Also when the position is where it was: what the destination keeps beside it may have changed. One after the other. */
  checkpointNow(): Promise<void> {
    // Both would write the same file.
    if (this.#isClosed) return this.#writing
    const next = this.#writing.then(() => this.#write())
    this.#writing = next.catch(() => undefined)
    return next
  }

  async #write(): Promise<void> {
    this.#hasTaken = false
    let document: CursorDocument
    try {
      document = await this.#source()
      // A cursor behind what a power cut leaves would stand, later on, amid other records.
      await this.#commit()
      await writeDocumentLater(this.#files, this.#file, 'cursor', document)
    } catch (error) {
      this.#hasTaken = true
      throw error
    }
    this.#durable = document.position
    this.#onDurable(document)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.follower.close()
    await this.#writing
    const document = await this.#source()
    writeDocument(this.#files, this.#file, 'cursor', document)
    this.#durable = document.position
  }

  /** After `close`: a destination of this name begins anew. @throws the errno */
  forget(): void {
    this.#files.unlink(this.#file)
  }
}

/** Who has come to the end must have been shown every message of the spool's life, neither more nor fewer. */
export function auditShown(
  attachments: readonly Attachment[],
  end: Position,
  messages: number,
  onMiscount: (destination: string, shown: number, stored: number) => void,
): void {
  for (const { name, follower } of attachments) {
    if (comparePositions(follower.next, end) !== 0) continue
    const shown = follower.next.messages
    if (shown !== undefined && shown !== messages) onMiscount(name, shown, messages)
    follower.count(messages)
  }
}

export function cursorPath(directory: string, name: string): string {
  return path.join(directory, 'cursors', `${name}.cursor`)
}

export function readCursor(
  files: Files,
  directory: string,
  name: string,
): { document: CursorDocument | undefined; damage: string | undefined } {
  const read = readDocument(files, cursorPath(directory, name), 'cursor')
  if (read.kind === 'read') return { document: read.content as CursorDocument, damage: undefined }
  return { document: undefined, damage: read.kind === 'damaged' ? read.reason : undefined }
}
