// Which sequences of which stream a spool has had. An interval set, not a high-water mark: after a failover older
// batches may arrive later than newer ones.

/** Intervals per stream; a stream more torn than this is refused rather than remembered wrongly. */
export const INTERVALS_LIMIT = 4096
/** Streams in all; the one that was used least recently is forgotten first, the spool's own never. */
export const STREAMS_LIMIT = 20_000
/** Streams of one origin, so that no host makes the spool forget another's. A host begins a new one after a power cut or with a new spool. */
export const ORIGIN_STREAMS_LIMIT = 64

export type Interval = readonly [from: number, to: number]
export type StreamsSnapshot = ReadonlyArray<readonly [origin: string, stream: string, intervals: readonly Interval[]]>

interface Entry {
  readonly origin: string
  readonly stream: string
  /** Sorted, disjoint and not adjacent; both ends inclusive. */
  intervals: Interval[]
}

/** Index of the first interval that ends at or behind `sequence - 1`: the one to join with or to insert before. */
function seek(intervals: readonly Interval[], sequence: number): number {
  let low = 0
  let high = intervals.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (intervals[middle]![1] < sequence - 1) low = middle + 1
    else high = middle
  }
  return low
}

export class Streams {
  readonly #entries = new Map<string, Entry>()
  /** Streams by origin. */
  readonly #counts = new Map<string, number>()
  #forgotten = 0
  #kept = ''

  get size(): number {
    return this.#entries.size
  }

  /** Streams forgotten because of the limit since the start. */
  get forgotten(): number {
    return this.#forgotten
  }

  hasOrigin(origin: string): boolean {
    return this.#counts.has(origin)
  }

  /** Names the stream that is never forgotten: with it would go the sequences that were given out. */
  keep(stream: string): void {
    this.#kept = stream
  }

  /** The parts of `from..to` that have not been had yet, in order; empty for a repetition. */
  missing(origin: string, stream: string, from: number, to: number): Interval[] {
    const entry = this.#entries.get(`${origin} ${stream}`)
    if (entry === undefined) return [[from, to]]
    const parts: Interval[] = []
    let next = from
    for (let index = seek(entry.intervals, from); index < entry.intervals.length && next <= to; index++) {
      const [start, end] = entry.intervals[index]!
      if (start > to) break
      if (start > next) parts.push([next, start - 1])
      if (end >= next) next = end + 1
    }
    if (next <= to) parts.push([next, to])
    return parts
  }

  /** Whether one more interval would still fit, so that `add` never has to refuse. */
  hasRoom(origin: string, stream: string): boolean {
    return (this.#entries.get(`${origin} ${stream}`)?.intervals.length ?? 0) < INTERVALS_LIMIT
  }

  add(origin: string, stream: string, from: number, to: number): void {
    const key = `${origin} ${stream}`
    let entry = this.#entries.get(key)
    if (entry === undefined) {
      entry = { origin, stream, intervals: [] }
      const ofOrigin = this.#counts.get(origin) ?? 0
      if (ofOrigin >= ORIGIN_STREAMS_LIMIT) this.#forgetOldest(origin)
      else if (this.#entries.size >= STREAMS_LIMIT) this.#forgetOldest(undefined)
      this.#counts.set(origin, (this.#counts.get(origin) ?? 0) + 1)
    } else {
      this.#entries.delete(key) // to the young end of the map
    }
    this.#entries.set(key, entry)
    const intervals = entry.intervals
    const last = intervals.length - 1
    if (last >= 0 && intervals[last]![1] === from - 1) {
      intervals[last] = [intervals[last]![0], to]
      return
    }
    const index = seek(intervals, from)
    let start = from
    let end = to
    let joined = index
    for (; joined < intervals.length && intervals[joined]![0] <= to + 1; joined++) {
      start = Math.min(start, intervals[joined]![0])
      end = Math.max(end, intervals[joined]![1])
    }
    intervals.splice(index, joined - index, [start, end])
  }

  /** @param origin of which one goes, or undefined for any */
  #forgetOldest(origin: string | undefined): void {
    for (const [key, entry] of this.#entries) {
      if (entry.stream === this.#kept || (origin !== undefined && entry.origin !== origin)) continue
      this.#entries.delete(key)
      this.#counts.set(entry.origin, this.#counts.get(entry.origin)! - 1)
      if (this.#counts.get(entry.origin) === 0) this.#counts.delete(entry.origin)
      this.#forgotten++
      return
    }
  }

  /** The sequence that follows the highest one had in the stream. */
  next(origin: string, stream: string): number {
    const intervals = this.#entries.get(`${origin} ${stream}`)?.intervals
    return intervals === undefined || intervals.length === 0 ? 1 : intervals[intervals.length - 1]![1] + 1
  }

  snapshot(): StreamsSnapshot {
    return [...this.#entries.values()].map((entry) => [entry.origin, entry.stream, [...entry.intervals]] as const)
  }

  static restore(snapshot: StreamsSnapshot): Streams {
    const streams = new Streams()
    for (const [origin, stream, intervals] of snapshot) for (const [from, to] of intervals) streams.add(origin, stream, from, to)
    return streams
  }
}
