// Which messages stand in a spool, by origin and stream: none twice, and none missing between two that were numbered here.

import type { RecordHead } from './batch.ts'
import { readHops } from './hops.ts'
import { comparePositions, type Position } from './position.ts'
import type { StreamsDocument } from './recovery.ts'
import { STREAMS_LIMIT, Streams } from './streams.ts'

export type SequenceFault =
  | { readonly kind: 'twice' | 'disorder'; readonly from: number; readonly to: number }
  /** `after`: where the messages before the gap end. */
  | { readonly kind: 'gap'; readonly from: number; readonly to: number; readonly after: Position }
  /** The document `streams` does not know of messages that it covers: they would be taken a second time. */
  | { readonly kind: 'unlisted'; readonly from: number; readonly to: number }

interface Last {
  readonly sequence: number
  readonly end: Position
}

/** Limited as the daemon's own memory of streams is: what was used least recently is forgotten first. */
export class Sequences {
  readonly #seen = new Streams()
  readonly #last = new Map<string, Last>()
  readonly #listed: Streams | undefined
  readonly #covered: Position | undefined

  /** @param document the spool's own memory; undefined when there is none to compare with */
  constructor(document: StreamsDocument | undefined) {
    // One that has forgotten streams cannot be asked.
    if (document === undefined || document.streams.length >= STREAMS_LIMIT) return
    this.#listed = Streams.restore(document.streams)
    this.#covered = document.position
  }

  get streams(): number {
    return this.#seen.size
  }

  /** Takes the next record in the order of the spool. @param end where it ends */
  add(bytes: Buffer, head: RecordHead, end: Position): SequenceFault[] {
    const { origin, stream } = head
    const from = head.first + head.skip
    const to = from + head.take - 1
    const faults: SequenceFault[] = []
    const missing = this.#seen.missing(origin, stream, from, to)
    const isTwice = missing.length !== 1 || missing[0]![0] !== from || missing[0]![1] !== to
    if (isTwice) faults.push({ kind: 'twice', ...firstRepeated(missing, from, to) })
    this.#seen.add(origin, stream, from, to)
    // Of what others have numbered, any part may have come by another relay, and in any order.
    if (!isTwice && readHops(bytes, head)?.length === 0) {
      const key = `${origin} ${stream}`
      const last = this.#last.get(key)
      if (last !== undefined && from > last.sequence + 1)
        faults.push({ kind: 'gap', from: last.sequence + 1, to: from - 1, after: last.end })
      if (last !== undefined && from <= last.sequence) faults.push({ kind: 'disorder', from, to })
      this.#last.delete(key)
      this.#last.set(key, { sequence: Math.max(to, last?.sequence ?? 0), end })
      if (this.#last.size > STREAMS_LIMIT) this.#last.delete(this.#last.keys().next().value!)
    }
    if (this.#covered !== undefined && comparePositions(end, this.#covered) <= 0) {
      const unlisted = this.#listed!.missing(origin, stream, from, to)
      if (unlisted.length > 0) faults.push({ kind: 'unlisted', from: unlisted[0]![0], to: unlisted.at(-1)![1] })
    }
    return faults
  }
}

/** The first part of `from..to` that is not among the missing. */
function firstRepeated(missing: readonly (readonly [number, number])[], from: number, to: number): { from: number; to: number } {
  const first = missing[0]
  if (first === undefined) return { from, to }
  if (first[0] > from) return { from, to: first[0] - 1 }
  return { from: first[1] + 1, to: (missing[1]?.[0] ?? to + 1) - 1 }
}
