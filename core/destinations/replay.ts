// After a crash the destination writes again from its checkpoint on. What it would write is compared with what already stands behind the size that the
// checkpoint remembers, and only what is missing is appended.

import * as fs from 'node:fs'
import * as path from 'node:path'
import type { OpenFile } from './file-cache.ts'

/** A file as the checkpoint remembers it. */
export interface RememberedFile {
  readonly host: string
  readonly device: number
  readonly inode: number
  readonly size: number
}

interface Part {
  readonly fd: number
  readonly device: number
  readonly inode: number
  at: number
  readonly end: number
  /** A descriptor of our own, for a file that was moved away meanwhile. */
  readonly isOwn: boolean
}

const COMPARE_BYTES = 64 << 10

/** What stands in one host's file behind the checkpoint, to be compared with what is written again. */
export class Replay {
  readonly #parts: Part[]
  /** The open file that it compares with. */
  readonly file: OpenFile
  readonly #onForeign: (file: string, bytes: number, kept: string) => void
  readonly #buffer = Buffer.allocUnsafe(COMPARE_BYTES)

  constructor(file: OpenFile, remembered: RememberedFile, onForeign: (file: string, bytes: number, kept: string) => void) {
    this.file = file
    this.#onForeign = onForeign
    this.#parts = []
    // Not by the device: after a boot, or mounted again, the same file system may have another number.
    const isSame = file.inode === remembered.inode
    if (!isSame) {
      const moved = findMoved(file, remembered)
      if (moved !== undefined) {
        // Its writer may have been killed before it synced, and nobody writes to it any more.
        fs.fdatasyncSync(moved.fd)
        const { device, inode, size } = remembered
        this.#parts.push({ fd: moved.fd, device, inode, at: size, end: moved.size, isOwn: true })
      }
    }
    // Smaller than remembered: it was truncated (copytruncate), so all that stands there came behind the checkpoint.
    const from = isSame && file.size >= remembered.size ? remembered.size : 0
    this.#parts.push({ fd: file.fd, device: file.device, inode: file.inode, at: from, end: file.size, isOwn: false })
  }

  get isDone(): boolean {
    return this.#parts.length === 0
  }

  /** How far the comparison has come: what a checkpoint has to remember meanwhile, so that the next one goes on from there. */
  reached(host: string): RememberedFile | undefined {
    const part = this.#parts[0]
    return part === undefined ? undefined : { host, device: part.device, inode: part.inode, size: part.at }
  }

  /**
   * How many bytes at the start of `bytes[start..end]` already stand in the file. A torn line ends within them, and the rest completes it.
   * Bytes that do not match are someone else's: they are copied to a file beside it, cut off, and reported. Zeros to the end are nobody's: a power cut
   * leaves them where the file had grown and its bytes had not come to the disk.
   */
  alreadyWritten(bytes: Uint8Array, start: number, end: number): number {
    let at = start
    while (this.#parts.length > 0) {
      const part = this.#parts[0]!
      while (part.at < part.end && at < end) {
        const wanted = Math.min(COMPARE_BYTES, part.end - part.at, end - at)
        const got = fs.readSync(part.fd, this.#buffer, 0, wanted, part.at)
        let same = 0
        while (same < got && this.#buffer[same] === bytes[at + same]) same++
        part.at += same
        at += same
        if (same < wanted) {
          this.#setAside(part)
          break
        }
      }
      if (part.at < part.end) return at - start
      if (part.isOwn) fs.closeSync(part.fd)
      this.#parts.shift()
    }
    return at - start
  }

  /** The replay is over: what still stands there, we have not written. */
  finish(): void {
    for (const part of this.#parts) {
      if (part.at < part.end) this.#setAside(part)
      if (part.isOwn) fs.closeSync(part.fd)
    }
    this.#parts.length = 0
  }

  /** Leaves everything as it is; another one goes on from `reached`. */
  abandon(): void {
    for (const part of this.#parts) if (part.isOwn) fs.closeSync(part.fd)
    this.#parts.length = 0
  }

  #setAside(part: Part): void {
    const bytes = part.end - part.at
    // A file that logrotate has moved is nobody's to change any more.
    if (!part.isOwn && this.#isZero(part)) {
      fs.ftruncateSync(part.fd, part.at)
      this.file.size = part.at
    } else if (!part.isOwn) {
      const kept = `${this.file.file}.foreign-${Date.now()}`
      const copy = fs.openSync(kept, fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_NOFOLLOW, 0o600)
      try {
        for (let at = part.at; at < part.end; ) {
          const got = fs.readSync(part.fd, this.#buffer, 0, Math.min(COMPARE_BYTES, part.end - at), at)
          if (got === 0) break
          for (let done = 0; done < got; ) done += fs.writeSync(copy, this.#buffer, done, got - done)
          at += got
        }
        fs.fsyncSync(copy)
      } catch (error) {
        // Half a copy helps nobody, and the bytes stay where they are.
        fs.unlinkSync(kept)
        throw error
      } finally {
        fs.closeSync(copy)
      }
      if (fs.fstatSync(part.fd).size > part.at) fs.ftruncateSync(part.fd, part.at)
      this.file.size = part.at
      this.#onForeign(this.file.file, bytes, kept)
    }
    part.at = part.end
  }

  #isZero(part: Part): boolean {
    for (let at = part.at; at < part.end; ) {
      const got = fs.readSync(part.fd, this.#buffer, 0, Math.min(COMPARE_BYTES, part.end - at), at)
      if (got === 0) return false
      for (let index = 0; index < got; index++) if (this.#buffer[index] !== 0) return false
      at += got
    }
    return true
  }
}

/** The file of that inode in the same folder, as logrotate leaves it. */
function findMoved({ file, device }: OpenFile, remembered: RememberedFile): { fd: number; size: number } | undefined {
  const directory = path.dirname(file)
  for (const name of fs.readdirSync(directory)) {
    const place = path.join(directory, name)
    const stat = fs.lstatSync(place, { throwIfNoEntry: false })
    if (stat?.isFile() && stat.ino === remembered.inode && stat.dev === device && stat.size >= remembered.size) {
      return { fd: fs.openSync(place, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW), size: stat.size }
    }
  }
  return undefined
}
