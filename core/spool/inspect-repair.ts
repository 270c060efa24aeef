// Mends a spool that no process has open. Whatever is cut or replaced is kept in quarantine/ first, durably; nothing is lost by running it.

import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { crc32 } from 'node:zlib'
import { writeDocument } from '../base/checked-document.ts'
import { type Files, writeAll } from '../base/files.ts'
import { CRC_SEED, SEGMENT_HEADER_BYTES } from './constants.ts'
import {
  endPosition,
  oldestPosition,
  openToRead,
  positionText,
  readSegmentHeader,
  type SegmentFile,
  segmentFiles,
  unreadable,
} from './inspect.ts'
import { type Cursor, documentFault, inspectCursors, inspectState, inspectStreams, statePath, streamsPath } from './inspect-documents.ts'
import { isKept, keep, listKept, rangeName } from './inspect-quarantine.ts'
import { type Walked, walkSegment, walkWindow } from './inspect-records.ts'
import { comparePositions, type Position } from './position.ts'
import type { SpoolState } from './spool-state.ts'
import { Streams } from './streams.ts'

export interface RepairWorld {
  readonly files: Files
  /** Only tell what would be done. */
  readonly isDry: boolean
  /** One thing that is done, in the infinitive: `cut 17 bytes ...`. */
  onDone(text: string): void
  /** What no program can mend, with a remedy. */
  onLeft(text: string, remedy: string): void
}

export interface Repaired {
  readonly done: number
  readonly left: number
}

type Bad = Walked & { readonly kind: 'bad' }

interface Steps {
  readonly firstStoredUs: number
  readonly bad: readonly Bad[]
}

/**
 * Does what recovery at the daemon's start would do, and keeps more: a segment whose header alone is bad gets a new one. The caller holds the spool's lock.
 * @throws the errno of a failing write; running it again is safe
 */
export function repairSpool(directory: string, world: RepairWorld): Repaired {
  return new Repair(directory, world).run()
}

class Repair {
  readonly #directory: string
  readonly #world: RepairWorld
  readonly #window = walkWindow()
  readonly #streams = new Streams()
  /** Cursors that stand amid a record, by name, with the start of that record. */
  readonly #amid = new Map<string, Position>()
  readonly #cursorsFound: readonly Cursor[]
  readonly #listed: ReturnType<typeof inspectStreams>
  readonly #known: Streams
  /** A record that `streams` covers and does not know of was found. */
  #isUnlisted = false
  /** What was cut off the end: a destination that was behind it is now at the end. */
  #cutTo: Position | undefined
  /** Ids of the spool as the segments' headers have it. */
  readonly #ids = new Set<string>()
  #spoolId = ''
  #done = 0
  #left = 0

  constructor(directory: string, world: RepairWorld) {
    this.#directory = directory
    this.#world = world
    this.#cursorsFound = inspectCursors(world.files, directory)
    this.#listed = inspectStreams(world.files, directory)
    this.#known = this.#listed.kind === 'read' ? Streams.restore(this.#listed.content.streams) : new Streams()
  }

  run(): Repaired {
    const { files } = this.#world
    const state = inspectState(files, this.#directory)
    const found = segmentFiles(files, this.#directory)
    this.#readIds(found)
    this.#spoolId = state.kind === 'read' ? state.content.id : this.#ids.size === 1 ? [...this.#ids][0]! : randomBytes(16).toString('hex')
    const segments = found.map((segment) => this.#segment(segment, segment === found.at(-1)))
    const isRenewed = this.#streamsDocument(segments)
    this.#cursors(segments)
    this.#state(state, segments.length > 0, isRenewed)
    return { done: this.#done, left: this.#left }
  }

  #do(text: string, action: () => void): void {
    this.#done++
    if (!this.#world.isDry) action()
    this.#world.onDone(text)
  }

  #leave(place: string, error: unknown): void {
    this.#left++
    const { message, remedy } = unreadable(place, error)
    this.#world.onLeft(message, remedy)
  }

  #readIds(segments: readonly SegmentFile[]): void {
    const { files } = this.#world
    for (const { file, number } of segments) {
      try {
        const fd = openToRead(files, file)
        const header = readSegmentHeader(files, fd, number)
        files.close(fd)
        if (header.isWhole) this.#ids.add(header.spoolId)
      } catch {
        // Told when the segment itself is read.
      }
    }
  }

  /** @returns the segment as it is afterwards */
  #segment(segment: SegmentFile, isLast: boolean): SegmentFile {
    const { files } = this.#world
    let fd = -1
    try {
      let steps: Steps
      let size: number
      try {
        fd = openToRead(files, segment.file)
        size = files.stat(fd).size
        steps = this.#walk(segment, fd, size)
      } catch (error) {
        this.#leave(segment.file, error)
        return segment
      }
      if (!readSegmentHeader(files, fd, segment.number).isWhole) this.#newHeader(segment, fd, size, steps.firstStoredUs)
      const kept = listKept(files, this.#directory)
      for (const bad of steps.bad) {
        if (bad.isTail && isLast) {
          this.#cut(segment, fd, bad)
          return { ...segment, bytes: bad.from }
        }
        if (!isKept(files, kept, segment.number, fd, bad.from, bad.to)) this.#keep(segment, fd, bad)
      }
      return { ...segment, bytes: Math.max(size, SEGMENT_HEADER_BYTES) }
    } finally {
      if (fd !== -1) files.close(fd)
    }
  }

  #walk(segment: SegmentFile, fd: number, size: number): Steps {
    const { files } = this.#world
    const cursors = this.#cursorsFound.flatMap(({ name, document }) =>
      document.kind === 'read' && document.content.position.segment === segment.number
        ? [{ name, offset: document.content.position.offset }]
        : [],
    )
    const bad: Bad[] = []
    const covered = this.#listed.kind === 'read' ? this.#listed.content.position : undefined
    let firstStoredUs = 0
    for (const { name, offset } of cursors)
      if (offset < SEGMENT_HEADER_BYTES) this.#amid.set(name, { segment: segment.number, offset: SEGMENT_HEADER_BYTES })
    for (const step of walkSegment(files, fd, SEGMENT_HEADER_BYTES, size, this.#window)) {
      for (const { name, offset } of cursors)
        if (offset > step.from && offset < step.to && !(step.kind === 'bad' && step.isTail))
          this.#amid.set(name, { segment: segment.number, offset: step.from })
      if (step.kind === 'bad') {
        bad.push(step)
        continue
      }
      const { head } = step
      firstStoredUs ||= head.storedUs
      const from = head.first + head.skip
      const to = from + head.take - 1
      this.#streams.add(head.origin, head.stream, from, to)
      const isCovered = covered !== undefined && comparePositions({ segment: segment.number, offset: step.to }, covered) <= 0
      if (isCovered && this.#known.missing(head.origin, head.stream, from, to).length > 0) this.#isUnlisted = true
    }
    return { firstStoredUs, bad }
  }

  /** The number stays in use also when no record is behind it: cursors and `streams` name it. */
  #newHeader(segment: SegmentFile, fd: number, size: number, createdUs: number): void {
    const { files } = this.#world
    const bytes = Math.min(size, SEGMENT_HEADER_BYTES)
    this.#do(`write the header of ${segment.file} anew, and keep the ${bytes} bytes that stood there in quarantine`, () => {
      // Named so that it does not look as if the whole segment were there.
      if (bytes > 0) keep(files, this.#directory, `${String(segment.number).padStart(12, '0')}.header`, fd, 0, bytes)
      this.#change(segment.file, (writable) => writeAll(files, writable, encodeHeader(segment.number, this.#spoolId, createdUs), 0))
    })
  }

  #cut(segment: SegmentFile, fd: number, bad: Bad): void {
    const { files } = this.#world
    this.#cutTo = { segment: segment.number, offset: bad.to }
    this.#do(
      `cut ${bad.to - bad.from} bytes off the end of ${segment.file} at ${bad.from} (${bad.reason}), and keep them in quarantine`,
      () => {
        keep(files, this.#directory, rangeName(segment.number, bad.from, bad.to), fd, bad.from, bad.to)
        this.#change(segment.file, (writable) => files.truncate(writable, bad.from))
      },
    )
  }

  /** Cutting them out would move what stands behind, and every cursor means a place: they stay, and readers pass over them. */
  #keep(segment: SegmentFile, fd: number, bad: Bad): void {
    this.#do(
      `copy ${bad.to - bad.from} bytes of ${segment.file} at ${bad.from} to quarantine (${bad.reason}); they stay where they are and are passed over`,
      () => keep(this.#world.files, this.#directory, rangeName(segment.number, bad.from, bad.to), fd, bad.from, bad.to),
    )
  }

  #change(file: string, change: (fd: number) => void): void {
    const { files } = this.#world
    const fd = files.open(file, fs.constants.O_RDWR, 0)
    try {
      change(fd)
      files.sync(fd)
    } finally {
      files.close(fd)
    }
  }

  /** @returns whether it was made anew: sequences that were given out before may not be known any more */
  #streamsDocument(segments: readonly SegmentFile[]): boolean {
    const { files } = this.#world
    const file = streamsPath(this.#directory)
    const document = this.#listed
    if (document.kind === 'unreadable') {
      this.#leave(file, document.error)
      return false
    }
    const end = endPosition(segments)
    const isBeyond = document.kind === 'read' && comparePositions(document.content.position, end) > 0
    // Missing is normal within the first second of a spool's life: recovery reads all records then.
    if (document.kind === 'absent' || (document.kind === 'read' && !isBeyond && !this.#isUnlisted)) return false
    const reason = documentFault(document) ?? (isBeyond ? `it covers more than the spool has` : 'it does not have all that it covers')
    const known = this.#known
    // What it knew besides stays known: freed records are not taken again.
    for (const [origin, stream, intervals] of this.#streams.snapshot())
      for (const [from, to] of intervals) known.add(origin, stream, from, to)
    this.#do(`write ${file} anew (${reason}), with the sequences of ${known.size} streams as the records kept have them`, () => {
      this.#keepDocument(file)
      writeDocument(files, file, 'streams', { position: end, streams: known.snapshot() })
    })
    return true
  }

  #cursors(segments: readonly SegmentFile[]): void {
    const { files } = this.#world
    const [oldest, end] = [oldestPosition(segments), endPosition(segments)]
    for (const { name, file, document } of this.#cursorsFound) {
      if (document.kind === 'unreadable') {
        this.#leave(file, document.error)
        continue
      }
      const cursor = document.kind === 'read' ? document.content : undefined
      const isBeyond = cursor !== undefined && comparePositions(cursor.position, end) > 0
      const amid = this.#amid.get(name)
      if (cursor !== undefined && !isBeyond && amid === undefined) continue
      // Nothing stands behind the cut any more: it has everything, and what it keeps beside its position still holds.
      const wasCut = isBeyond && this.#cutTo !== undefined && comparePositions(cursor.position, this.#cutTo) <= 0
      const position = wasCut ? end : isBeyond || amid === undefined ? oldest : amid
      const reason =
        documentFault(document) ?? (isBeyond ? 'it is behind the end of the spool' : 'it stands where no record begins or ends')
      const sense = wasCut ? 'its destination has all that is left' : 'its destination may get messages again, and misses none'
      this.#do(`set cursor ${name} to ${positionText(position)} (${reason}): ${sense}`, () => {
        this.#keepDocument(file)
        writeDocument(files, file, 'cursor', wasCut ? { ...cursor, position } : { position })
      })
    }
  }

  #state(state: ReturnType<typeof inspectState>, hasSegments: boolean, isRenewed: boolean): void {
    const { files } = this.#world
    const file = statePath(this.#directory)
    if (state.kind === 'unreadable') {
      this.#leave(file, state.error)
      return
    }
    const isLost = state.kind === 'damaged' || (state.kind === 'absent' && hasSegments)
    if (!isLost && !(isRenewed && state.kind === 'read')) return
    // Neither closed cleanly nor of this start of the machine: the daemon then begins a new stream, and no sequence stands for two messages.
    const next: SpoolState = {
      id: this.#spoolId,
      stream: state.kind === 'read' ? state.content.stream : randomBytes(16).toString('hex'),
      bootId: undefined,
      isClosed: false,
    }
    const reason = isLost ? (documentFault(state) ?? 'it is missing') : 'sequences that were given out may be forgotten'
    const id = isLost ? ` with the id ${this.#ids.size === 1 ? 'that the segments bear' : 'of a new spool'}` : ''
    this.#do(`write ${file} anew (${reason})${id}: the daemon begins a new stream at its next start`, () => {
      if (state.kind !== 'absent') this.#keepDocument(file)
      writeDocument(files, file, 'state', next)
    })
  }

  #keepDocument(file: string): void {
    const { files } = this.#world
    const fd = openToRead(files, file)
    try {
      keep(files, this.#directory, path.basename(file), fd, 0, files.stat(fd).size)
    } finally {
      files.close(fd)
    }
  }
}

/** As createSegment makes it; FORMAT.md, Segment. */
function encodeHeader(number: number, spoolId: string, createdUs: number): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
  header.write('LOGHOPSG', 0, 'latin1')
  header.writeUInt32LE(1, 12)
  header.writeBigUInt64LE(BigInt(number), 16)
  header.write(spoolId, 24, 16, 'hex')
  header.writeBigUInt64LE(BigInt(createdUs), 40)
  header.writeUInt32LE(crc32(header.subarray(12), CRC_SEED), 8)
  return header
}
