// Reads a whole spool and tells what is not as FORMAT.md says. Only reads, also beside the daemon that has it open.

import * as path from 'node:path'
import { errnoOf } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { SEGMENT_HEADER_BYTES } from './constants.ts'
import { readHops } from './hops.ts'
import {
  endPosition,
  missingSegments,
  oldestPosition,
  openToRead,
  positionText,
  readSegmentHeader,
  type SegmentFile,
  segmentFiles,
  unreadable,
} from './inspect.ts'
import { type Cursor, documentFault, inspectCursors, inspectState, inspectStreams, statePath, streamsPath } from './inspect-documents.ts'
import { isKept, type Kept, listKept } from './inspect-quarantine.ts'
import { type Walked, walkSegment, walkWindow } from './inspect-records.ts'
import { type SequenceFault, Sequences } from './inspect-sequences.ts'
import { payloadFault } from './payload.ts'
import { comparePositions, type Position } from './position.ts'

export interface Damage {
  readonly file: string
  readonly offset: number
  readonly bytes: number
  readonly reason: string
  readonly remedy: string
}

export interface VerifyWorld {
  readonly files: Files
  /** Whether some process has the spool open, and so may be about to write; undefined when that cannot be told. */
  isOpen(): boolean | undefined
  /** Waits that many milliseconds. */
  pause(ms: number): Promise<void>
  onDamage(damage: Damage): void
  /** What is out of the ordinary and no damage, such as bytes that are in quarantine already. */
  onNote(text: string): void
}

export interface Verified {
  readonly segments: number
  readonly records: number
  readonly messages: number
  readonly streams: number
  readonly bytes: number
  readonly damaged: number
}

// A record is written at one go: what is torn for longer than this is not being written.
const TORN_LOOKS = 5
const TORN_PAUSE_MS = 50

export const REPAIR = 'Stop the daemon and run "loghop spool repair" on it'

/** @throws {LoghopError} the directory or its list of segments cannot be read */
export async function verifySpool(directory: string, world: VerifyWorld): Promise<Verified> {
  return new Verification(directory, world).run()
}

class Verification {
  readonly #directory: string
  readonly #world: VerifyWorld
  readonly #window = walkWindow()
  readonly #cursors: readonly Cursor[]
  readonly #sequences: Sequences
  readonly #streamsPosition: Position | undefined
  readonly #kept: readonly Kept[]
  /** Places at which something is known to be missing; in the order of the spool. */
  readonly #holes: Position[] = []
  /** Sequence faults of the segment under way, by kind. */
  readonly #alike = new Map<SequenceFault['kind'], number>()
  #segments: SegmentFile[] = []
  #records = 0
  #messages = 0
  #bytes = 0
  #damaged = 0

  constructor(directory: string, world: VerifyWorld) {
    this.#directory = directory
    this.#world = world
    const { files } = world
    // Documents first: what they speak of is in the segments before they are written.
    const state = inspectState(files, directory)
    const streams = inspectStreams(files, directory)
    this.#cursors = inspectCursors(files, directory)
    this.#kept = listKept(files, directory)
    for (const { range } of this.#kept) if (range !== undefined) this.#holes.push({ segment: range.segment, offset: range.from })
    this.#document(statePath(directory), state, 'a new stream begins')
    this.#document(streamsPath(directory), streams, 'it is rebuilt from the records kept')
    for (const { file, document } of this.#cursors) this.#document(file, document, 'the destination starts at the oldest record kept')
    this.#sequences = new Sequences(streams.kind === 'read' ? streams.content : undefined)
    this.#streamsPosition = streams.kind === 'read' ? streams.content.position : undefined
  }

  async run(): Promise<Verified> {
    this.#segments = segmentFiles(this.#world.files, this.#directory)
    if (this.#segments.length > 0 && this.#world.files.statPath(statePath(this.#directory)) === undefined)
      this.#damage(
        statePath(this.#directory),
        0,
        0,
        'it is missing',
        `${REPAIR}; without it the spool gets a new id, and a new stream begins`,
      )
    this.#missing()
    for (const segment of this.#segments) await this.#segment(segment)
    this.#positions()
    return {
      segments: this.#segments.length,
      records: this.#records,
      messages: this.#messages,
      streams: this.#sequences.streams,
      bytes: this.#bytes,
      damaged: this.#damaged,
    }
  }

  #damage(file: string, offset: number, bytes: number, reason: string, remedy: string): void {
    this.#damaged++
    this.#world.onDamage({ file, offset, bytes, reason, remedy })
  }

  #document(file: string, document: Parameters<typeof documentFault>[0], consequence: string): void {
    const fault = documentFault(document)
    if (fault === undefined) return
    const remedy =
      document.kind === 'unreadable'
        ? unreadable(file, document.error).remedy
        : `${REPAIR}; the daemon would mend it at its next start, too: ${consequence}`
    this.#damage(file, 0, this.#world.files.statPath(file)?.size ?? 0, fault, remedy)
  }

  #missing(): void {
    const { files } = this.#world
    const gaps = missingSegments(this.#segments)
    if (gaps.length === 0) return
    const lowest = segmentFiles(files, this.#directory)[0]?.number ?? 0
    for (const [from, to] of gaps) {
      if (to < lowest) continue // freed while the folder was listed
      for (let number = from; number <= to; number++) {
        if (!this.#kept.some(({ range }) => range?.segment === number && range.from === 0)) {
          const which = from === to ? `segment ${from} is missing` : `segments ${from} to ${to} are missing`
          const remedy =
            'If there is a copy, put it back while the daemon is stopped; else its messages are lost, and the destinations go on behind it'
          this.#damage(path.join(this.#directory, 'segments'), 0, 0, which, remedy)
          this.#holes.push({ segment: from, offset: 0 })
          break
        }
        if (number === to) this.#world.onNote(`segments ${from} to ${to} are in quarantine`)
      }
    }
  }

  async #segment(segment: SegmentFile): Promise<void> {
    const { files } = this.#world
    let fd: number
    try {
      fd = openToRead(files, segment.file)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') this.#unreadable(segment, error) // else freed meanwhile
      return
    }
    try {
      await this.#header(segment, fd)
      await this.#walk(segment, fd)
      this.#tellAlike(segment)
    } catch (error) {
      this.#unreadable(segment, error)
    } finally {
      files.close(fd)
    }
  }

  #unreadable(segment: SegmentFile, error: unknown): void {
    const { message, remedy } = unreadable(segment.file, error)
    this.#holes.push({ segment: segment.number, offset: 0 })
    this.#damage(segment.file, 0, segment.bytes, message.replace(`Cannot read ${segment.file}: `, 'cannot be read: '), remedy)
  }

  async #header(segment: SegmentFile, fd: number): Promise<void> {
    const { files } = this.#world
    for (let look = 0; !readSegmentHeader(files, fd, segment.number).isWhole; look++) {
      if (this.#isLast(segment) && look < TORN_LOOKS) {
        await this.#world.pause(TORN_PAUSE_MS)
        continue
      }
      const { size } = files.stat(fd)
      if (this.#isLast(segment) && size <= SEGMENT_HEADER_BYTES && this.#world.isOpen() !== false) {
        this.#world.onNote(`segment ${segment.number} is being made`)
        return
      }
      const reason =
        size < SEGMENT_HEADER_BYTES ? 'the header is torn' : 'the header is none of this segment, or its checksum does not match'
      const remedy = `${REPAIR} before the daemon starts again, which would take the whole file out of the spool`
      this.#damage(segment.file, 0, Math.min(size, SEGMENT_HEADER_BYTES), reason, remedy)
      return
    }
  }

  #isLast(segment: SegmentFile): boolean {
    return segment === this.#segments.at(-1)
  }

  async #walk(segment: SegmentFile, fd: number): Promise<void> {
    const { files } = this.#world
    const edges = new Set<number>([SEGMENT_HEADER_BYTES])
    const wanted = new Set(this.#cursorsIn(segment.number).map(({ position }) => position.offset))
    let from = SEGMENT_HEADER_BYTES
    let { size } = files.stat(fd)
    for (let looks = 0; from < size; ) {
      let tail: (Walked & { kind: 'bad' }) | undefined
      for (const step of walkSegment(files, fd, from, size, this.#window)) {
        if (wanted.has(step.from)) edges.add(step.from)
        if (wanted.has(step.to)) edges.add(step.to)
        if (step.kind === 'record') this.#record(segment, step)
        else if (step.isTail && this.#isLast(segment)) tail = step
        else this.#bad(segment, fd, step)
      }
      if (tail === undefined) break
      // Torn, or being written: then the rest comes within moments.
      const before = size
      if (looks++ === TORN_LOOKS) {
        this.#tail(segment, fd, tail)
        break
      }
      await this.#world.pause(TORN_PAUSE_MS)
      size = files.stat(fd).size
      if (size !== before) looks = Math.max(0, looks - 1)
      if (tail.from !== from) looks = 0
      from = tail.from
    }
    this.#bytes += size
    for (const { cursor, position } of this.#cursorsIn(segment.number)) {
      if (edges.has(position.offset)) continue
      if (position.offset > size) {
        // Recovery has cut the segment, and the destination goes on in the next one. Behind the end of all: told with the other positions.
        if (!this.#isLast(segment))
          this.#world.onNote(`cursor ${cursor.name} is behind the end of segment ${segment.number}: it goes on in the next one`)
        continue
      }
      this.#damage(
        cursor.file,
        0,
        0,
        `it says ${positionText(position)}, where no record begins or ends`,
        `${REPAIR}: the destination then starts at the record before`,
      )
    }
  }

  #cursorsIn(segment: number): Array<{ cursor: Cursor; position: Position }> {
    return this.#cursors.flatMap((cursor) => {
      const position = cursor.document.kind === 'read' ? cursor.document.content.position : undefined
      return position?.segment === segment ? [{ cursor, position }] : []
    })
  }

  #record(segment: SegmentFile, step: Walked & { kind: 'record' }): void {
    const { head, bytes, from, to } = step
    this.#records++
    this.#messages += head.take
    const fault = readHops(bytes, head) === undefined ? 'the hops do not fit their envelope' : payloadFault(bytes, head)
    if (fault !== undefined) {
      const remedy = 'No daemon stores such a record: find out who wrote it; "loghop spool cat" shows what of it can be read'
      this.#damage(segment.file, from, to - from, `of ${head.origin}: ${fault}`, remedy)
    }
    for (const sequence of this.#sequences.add(bytes, head, { segment: segment.number, offset: to })) {
      // A segment that was copied has thousands of them: one line stands for all.
      const count = this.#alike.get(sequence.kind) ?? 0
      this.#alike.set(sequence.kind, count + 1)
      if (count === 0 || sequence.kind === 'gap') this.#sequence(segment, step, sequence)
    }
  }

  #tellAlike(segment: SegmentFile): void {
    for (const [kind, count] of this.#alike)
      if (count > 1 && kind !== 'gap') this.#world.onNote(`${segment.file}: ${count - 1} more records of which that is so (${kind})`)
    this.#alike.clear()
  }

  #sequence(segment: SegmentFile, step: Walked & { kind: 'record' }, fault: SequenceFault): void {
    const { head, from, to } = step
    const which = `messages ${fault.from} to ${fault.to} of ${head.origin} (stream ${head.stream.slice(0, 8)})`
    switch (fault.kind) {
      case 'twice':
        this.#damage(
          segment.file,
          from,
          to - from,
          `${which} stand here a second time`,
          'Was a segment copied or put back? Remove that copy while the daemon is stopped',
        )
        return
      case 'disorder':
        this.#damage(
          segment.file,
          from,
          to - from,
          `${which} stand behind later ones`,
          'Was a segment renamed or put back? Give it its own number while the daemon is stopped',
        )
        return
      case 'gap': {
        const here = { segment: segment.number, offset: from }
        const isKnown = this.#holes.some((hole) => comparePositions(hole, fault.after) >= 0 && comparePositions(hole, here) <= 0)
        if (isKnown)
          this.#world.onNote(`${which} are missing before ${positionText(here)}, where bytes are known to be bad, gone or in quarantine`)
        else
          this.#damage(
            segment.file,
            from,
            0,
            `${which} are missing before this place`,
            'If there is a copy of the spool, look there; else they are lost',
          )
        return
      }
      case 'unlisted':
        this.#damage(
          streamsPath(this.#directory),
          0,
          0,
          `${which} stand at ${positionText({ segment: segment.number, offset: from })} and are not in it`,
          REPAIR,
        )
        return
      default:
        fault satisfies never
    }
  }

  #bad(segment: SegmentFile, fd: number, bad: Walked & { kind: 'bad' }): void {
    const bytes = bad.to - bad.from
    this.#holes.push({ segment: segment.number, offset: bad.from })
    if (isKept(this.#world.files, this.#kept, segment.number, fd, bad.from, bad.to))
      this.#world.onNote(
        `${segment.file} at ${bad.from}: ${bytes} bytes are no record (${bad.reason}); they are in quarantine and are passed over`,
      )
    else
      this.#damage(segment.file, bad.from, bytes, bad.reason, `${REPAIR}: it keeps them in quarantine, and every reader passes over them`)
  }

  #tail(segment: SegmentFile, fd: number, bad: Walked & { kind: 'bad' }): void {
    const bytes = bad.to - bad.from
    if (this.#world.isOpen() !== false) {
      this.#world.onNote(`${segment.file} at ${bad.from}: ${bytes} bytes are being written`)
      return
    }
    const isZero = isAllZero(this.#world.files, fd, bad.from, bad.to)
    const reason = isZero ? 'the end is zeros, as a power cut leaves it' : bad.reason === 'torn' ? 'the last record is torn' : bad.reason
    this.#damage(
      segment.file,
      bad.from,
      bytes,
      reason,
      `Start the daemon, which cuts it off, or run "loghop spool repair", which keeps it in quarantine, too`,
    )
  }

  /** What the documents say beside what stands in the segments. */
  #positions(): void {
    const [oldest, end] = [oldestPosition(this.#segments), endPosition(segmentFiles(this.#world.files, this.#directory))]
    for (const { name, file, document } of this.#cursors) {
      if (document.kind !== 'read') continue
      const { position } = document.content
      if (comparePositions(position, end) > 0)
        this.#damage(
          file,
          0,
          0,
          `it says ${positionText(position)}, the spool ends at ${positionText(end)}`,
          `${REPAIR}: the destination starts at the oldest record kept`,
        )
      else if (position.segment < oldest.segment) this.#world.onNote(`cursor ${name} is behind the oldest record kept: it starts there`)
    }
    if (this.#streamsPosition !== undefined && comparePositions(this.#streamsPosition, end) > 0)
      this.#damage(
        streamsPath(this.#directory),
        0,
        0,
        `it covers up to ${positionText(this.#streamsPosition)}, the spool ends at ${positionText(end)}`,
        REPAIR,
      )
  }
}

function isAllZero(files: Files, fd: number, from: number, to: number): boolean {
  const bytes = Buffer.alloc(Math.min(to - from, 1 << 20))
  for (let at = from; at < to; at += bytes.length) {
    const got = files.read(fd, bytes, 0, Math.min(bytes.length, to - at), at)
    if (got <= 0 || bytes.subarray(0, got).some((byte) => byte !== 0)) return false
  }
  return true
}
