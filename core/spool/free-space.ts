import type { Files } from '../base/files.ts'

// Room for cursors and streams: they are written beside the old ones, and without them no segment could ever be freed on a disk that the segments have filled.
const RESERVE_BYTES = 1 << 20
/** The system is asked again at the latest after this many bytes of our own. */
const STEP_BYTES = 1 << 20

/** Keeps records from taking the last of the disk. */
export class FreeSpace {
  readonly #files: Files
  readonly #directory: string
  #known = 0

  constructor(files: Files, directory: string) {
    this.#files = files
    this.#directory = directory
  }

  /** @throws ENOSPC when the reserve would be touched, or the errno of asking */
  take(bytes: number): void {
    if (this.#known < bytes) {
      const free = this.#files.freeBytes(this.#directory) - RESERVE_BYTES - bytes
      if (free < 0) throw Object.assign(new Error('ENOSPC: what is left is kept for cursors'), { code: 'ENOSPC' })
      // Others may take from it meanwhile: asked more often the less there is.
      this.#known = bytes + Math.min(free / 8, STEP_BYTES)
    }
    this.#known -= bytes
  }
}
