import * as fs from 'node:fs'
import { type Files, readAll } from '../base/files.ts'
import type { RecordHead } from './batch.ts'
import { ENVELOPE_BYTES, SEGMENT_HEADER_BYTES } from './constants.ts'
import type { Position } from './position.ts'
import { scanStep } from './scan.ts'
import { segmentPath } from './segment.ts'

/** What the follower needs to know of its spool. */
export interface Followed {
  readonly files: Files
  readonly segmentsDirectory: string
  /** Up to where this segment may be read, whether it is complete, and whether this process has written all of it. */
  readable(segment: number): { readonly end: number; readonly isSealed: boolean; readonly isOurs: boolean }
  /** The lowest segment there is that is at or behind `segment`, or undefined. */
  segmentAtOrBehind(segment: number): number | undefined
  onBad(segment: number, fd: number, from: number, to: number, reason: string): void
}

export interface Chunk {
  /** Whole records, back to back, from `start` to `end`. */
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
  readonly heads: readonly RecordHead[]
  /** Where each record ends in the spool, for acknowledging up to it. */
  readonly positions: readonly Position[]
  readonly messages: number
}

/** Reads a spool from a position on, in whole records; one for each destination. */
export class Follower {
  readonly #spool: Followed
  #next: Position
  #fd = -1

  constructor(spool: Followed, from: Position) {
    this.#spool = spool
    this.#next = from
  }

  /** Where the next record will be read. */
  get next(): Position {
    return this.#next
  }

  /** From now on it is known how many messages lie before the place that it has reached. */
  count(messages: number | undefined): void {
    this.#next = { ...this.#next, messages }
  }

  /** Goes back (after a lost connection) or to another place; the position must be one of this spool's. */
  seek(position: Position): void {
    if (position.segment !== this.#next.segment) this.close()
    this.#next = position
  }

  close(): void {
    if (this.#fd !== -1) this.#spool.files.close(this.#fd)
    this.#fd = -1
  }

  /**
   * Reads what is there into `into` from `start` on, as many whole records as fit. A record that alone does not fit comes in a buffer of its own.
   * @returns undefined when there is nothing to read yet
   * @throws the errno of the failing read; the position is unchanged
   */
  read(into: Buffer, start: number): Chunk | undefined {
    for (;;) {
      const segment = this.#spool.segmentAtOrBehind(this.#next.segment)
      if (segment === undefined) return undefined
      if (segment !== this.#next.segment) {
        this.close()
        // Segments are missing that this destination had not passed: how many messages they held is not known.
        this.#next = { segment, offset: SEGMENT_HEADER_BYTES, messages: undefined }
      }
      const { end, isSealed, isOurs } = this.#spool.readable(segment)
      if (this.#next.offset < end) {
        const chunk = this.#readFrom(into, start, end, isOurs)
        if (chunk !== undefined) return chunk
        continue
      }
      if (!isSealed || this.#spool.segmentAtOrBehind(segment + 1) === undefined) return undefined
      this.close()
      // Behind a segment's end stands only who has read what a failed sync has moved on, and will be shown it again.
      const messages = this.#next.offset === end ? this.#next.messages : undefined
      this.#next = { segment: segment + 1, offset: SEGMENT_HEADER_BYTES, messages }
    }
  }

  #readFrom(into: Buffer, start: number, limit: number, isOurs: boolean): Chunk | undefined {
    const { segment, offset, messages: before } = this.#next
    const { files } = this.#spool
    if (this.#fd === -1) this.#fd = files.open(segmentPath(this.#spool.segmentsDirectory, segment), fs.constants.O_RDONLY, 0)
    const available = limit - offset
    let bytes = into
    let from = start
    let got = readAll(files, this.#fd, into.subarray(start), Math.min(into.length - start, available), offset)
    if (got === 0) throw endsEarly(segment, offset, limit)
    let isLast = got === available
    const heads: RecordHead[] = []
    const positions: Position[] = []
    let messages = 0
    let at = from
    for (;;) {
      if (at - from >= got) break
      const step = scanStep(bytes, at, from + got, isLast, isOurs)
      if (step.kind === 'record') {
        heads.push(step.head)
        at = step.head.end
        messages += step.head.take
        positions.push({ segment, offset: offset + at - from, messages: before === undefined ? undefined : before + messages })
        continue
      }
      if (step.kind === 'need-more') {
        if (heads.length > 0) break
        // A single record that is larger than the caller's room.
        bytes = Buffer.allocUnsafeSlow(Math.min(Math.max(step.bytes, ENVELOPE_BYTES), available))
        from = 0
        at = 0
        got = readAll(files, this.#fd, bytes, bytes.length, offset)
        // Else it would be asked for again and again.
        if (got < bytes.length) throw endsEarly(segment, offset + got, limit)
        isLast = got === available
        continue
      }
      if (heads.length > 0) break
      this.#spool.onBad(segment, this.#fd, offset + at - from, offset + step.to - from, step.reason)
      this.#next = { segment, offset: offset + step.to - from, messages: undefined }
      return undefined
    }
    if (heads.length === 0) return undefined
    this.#next = positions.at(-1)!
    return { bytes, start: from, end: at, heads, positions, messages }
  }
}

/** Someone has shortened the file under a running process; the next start's recovery deals with what is left. */
function endsEarly(segment: number, at: number, written: number): Error {
  return new Error(`Cannot read segment ${segment} at ${at}: the file ends there, ${written} bytes were written`)
}
