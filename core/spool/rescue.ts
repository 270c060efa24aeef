import { type Files, readAll, writeAll } from '../base/files.ts'
import { SEGMENT_HEADER_BYTES } from './constants.ts'

/** A segment as it is written. */
export interface Segment {
  size: number
  syncedEnd: number
  /** Open while it is written to or not yet synced. */
  fd: number
}

/**
 * What a failed sync leaves, on its way into a new segment. The pages count as clean although they are not on the disk, and a later success means nothing:
 * the bytes are taken out into memory, the segment is cut, durably, to its last good sync (else a crash could leave both copies), and only then are they
 * written anew. Each step may fail and be done again.
 */
export class Rescue {
  #taken: Buffer[] = []
  /** Cut, and not yet durably so. */
  readonly #cut = new Set<Segment>()
  #ended: Segment[] = []

  get isEmpty(): boolean {
    return this.#taken.length === 0 && this.#cut.size === 0
  }

  /** Takes out what lies behind the segment's last sync. @returns how many bytes @throws the errno; nothing is taken then */
  take(files: Files, segment: Segment): number {
    const end = Math.max(segment.syncedEnd, SEGMENT_HEADER_BYTES)
    const bytes = Buffer.alloc(segment.size - end)
    if (readAll(files, segment.fd, bytes, bytes.length, end) < bytes.length) throw new Error('Cannot read back what was not synced')
    if (bytes.length > 0) this.#taken.push(bytes)
    segment.size = end
    this.#cut.add(segment)
    return bytes.length
  }

  cut(files: Files): void {
    for (const segment of this.#cut) {
      files.truncate(segment.fd, segment.size)
      files.sync(segment.fd)
      segment.syncedEnd = segment.size
      this.#cut.delete(segment)
      this.#ended.push(segment)
    }
  }

  /** Segments that were cut and will not be written to again, each once. */
  takeEnded(): Segment[] {
    const ended = this.#ended
    this.#ended = []
    return ended
  }

  /** Writes all that was taken out to the end of `fresh`. @returns how many bytes */
  put(files: Files, fresh: Segment): number {
    let end = fresh.size
    for (const bytes of this.#taken) {
      writeAll(files, fresh.fd, bytes, end)
      end += bytes.length
    }
    const put = end - fresh.size
    fresh.size = end
    this.#taken = []
    return put
  }
}
