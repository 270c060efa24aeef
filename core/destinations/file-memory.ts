// What is known of the files of a destination besides what is open: how far each stands at the acknowledged position, what the durable checkpoint says of it,
// and what the process before this one has left and is compared with first.

import type { Log } from '../base/log.ts'
import type { OpenFile } from './file-cache.ts'
import { type RememberedFile, Replay } from './replay.ts'

export class FileMemory {
  /** Files as they stand at the acknowledged position: what a checkpoint remembers. */
  readonly #settled = new Map<string, RememberedFile>()
  /** The same of the durable checkpoint. Only files that it knows are written to. */
  #remembered = new Map<string, RememberedFile>()
  /** As the process before this one left them, until they are opened. */
  readonly #restored: Map<string, RememberedFile>
  readonly #replays = new Map<string, Replay>()
  readonly #log: Log

  /** @param files of the checkpoint that the process before this one has left */
  constructor(files: readonly RememberedFile[], log: Log) {
    this.#restored = new Map(files.map((file) => [file.host, file]))
    this.#log = log
  }

  /** Whether the file may still be compared with, or a checkpoint counts on it. */
  needs(inode: number): boolean {
    const known = [...this.#settled.values(), ...this.#remembered.values(), ...this.#restored.values()]
    return known.some((file) => file.inode === inode)
  }

  remembered(host: string): RememberedFile | undefined {
    return this.#remembered.get(host)
  }

  /** What is written to that file is compared first with what stands there. */
  replay(host: string): Replay | undefined {
    return this.#replays.get(host)
  }

  /** Whether what stands in it is not known to be ours and acknowledged. */
  isCompared(file: OpenFile): boolean {
    return this.#replays.has(file.host) || this.#restoredOf(file) !== undefined
  }

  /**
   * A file is going to be written to.
   * @param isWritten whether a part of what comes is in it already
   * @returns whether it is new to the durable checkpoint
   */
  begin(file: OpenFile, isWritten: boolean): boolean {
    const { host } = file
    const settled = this.#settled.get(host)
    const replay = this.#replays.get(host)
    if (replay !== undefined && !replay.isDone && replay.file !== file) {
      // Its descriptor was closed meanwhile: for another host's file, or because this one was moved away.
      this.#restored.set(host, replay.reached(host)!)
      replay.abandon()
    }
    const restored = this.#restoredOf(file)
    if (restored !== undefined) {
      // What stands behind the remembered size was written by the process before this one, and not synced if that was killed: the next checkpoint
      // counts on it and has to do so.
      this.#restored.delete(host)
      file.isDirty = true
      this.#replays.set(host, new Replay(file, restored, (name, bytes, kept) => this.#onForeign(name, bytes, kept)))
      this.#settled.set(host, restored)
      this.#remembered.set(host, restored)
    } else if (settled === undefined || (settled.inode !== file.inode && !isWritten && !this.#replays.has(host))) {
      this.settle(file)
    }
    const remembered = this.#remembered.get(host)
    const wanted = this.#settled.get(host)!
    return remembered === undefined || remembered.inode !== wanted.inode || remembered.device !== wanted.device
  }

  /** All output up to the acknowledged position is in the file. */
  settle({ host, device, inode, size }: OpenFile): void {
    const replay = this.#replays.get(host)
    const reached = replay?.reached(host)
    if (replay?.isDone) this.#replays.delete(host)
    this.#settled.set(host, reached ?? { host, device, inode, size })
  }

  /**
   * What a checkpoint has to remember.
   * @param isCaughtUp all that the process before this one can have written has come again: what it left and nobody opened needs no comparing any more
   */
  taken(open: readonly OpenFile[], isCaughtUp: boolean): RememberedFile[] {
    if (isCaughtUp) this.#restored.clear()
    const hosts = new Set(open.map((file) => file.host))
    // A file that was closed is synced, and opened anew it has to be remembered anew.
    for (const host of [...this.#settled.keys()]) if (!hosts.has(host) && !this.#replays.has(host)) this.#settled.delete(host)
    return [...this.#settled.values(), ...this.#restored.values()]
  }

  /** A checkpoint with these is durable. */
  remember(files: readonly RememberedFile[]): void {
    this.#remembered = new Map(files.map((file) => [file.host, file]))
  }

  /** @param isComplete nothing is left to write: what stands behind our own lines is someone else's */
  close(open: ReadonlySet<OpenFile>, isComplete: boolean): void {
    for (const replay of this.#replays.values()) {
      if (isComplete && open.has(replay.file)) replay.finish()
      else replay.abandon()
    }
  }

  /** The file as the process before this one left it. By its inode where that one, configured otherwise, had another name for it: by host alone, or by path. */
  #restoredOf({ host, device, inode }: OpenFile): RememberedFile | undefined {
    const known = this.#restored.get(host)
    if (known !== undefined || this.#restored.size === 0 || this.#settled.has(host)) return known
    for (const [before, file] of this.#restored) {
      if (file.inode !== inode || file.device !== device) continue
      this.#restored.delete(before)
      const renamed = { ...file, host }
      this.#restored.set(host, renamed)
      return renamed
    }
    return undefined
  }

  #onForeign(file: string, bytes: number, kept: string): void {
    this.#log.warn(
      'foreign-bytes',
      `${bytes} bytes in ${file} were not written by Loghop, or came damaged from the disk: kept in ${kept}`,
      { file, bytes },
    )
  }
}
