// A terminal is written to without ever waiting for it: one that takes no more is given up for that message after a short time.

import * as fs from 'node:fs'
import * as tty from 'node:tty'
import { errnoOf, LoghopError } from '../base/errors.ts'
import { dropOutput } from '../platform/descriptors.ts'

const { O_WRONLY, O_NONBLOCK, O_NOCTTY, O_NOFOLLOW } = fs.constants
/** Somebody may just have scrolled. */
const PATIENCE_MS = 1000
const POLL_MS = 20
const GROUP_WRITE = 0o020

export type Shown = 'shown' | 'given-up' | 'failed'

/** Opens it for writing; it does not become ours to be hung up by. @throws {LoghopError} it is no terminal; or the errno */
export function openTerminal(path: string): number {
  const fd = fs.openSync(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW)
  if (fs.fstatSync(fd).isCharacterDevice() && tty.isatty(fd)) return fd
  fs.closeSync(fd)
  throw new LoghopError('TERMINAL', `${path} is no terminal`, 'Name a terminal such as /dev/console')
}

/** Whether its user takes messages: what mesg(1) sets. */
export function takesMessages(fd: number): boolean {
  return (fs.fstatSync(fd).mode & GROUP_WRITE) !== 0
}

/**
 * Closes it without waiting for it, as closing a serial line can for half a minute.
 * @param isStuck what a serial line has not shown is dropped; else it may show that in its own time
 */
export function closeTerminal(fd: number, isStuck: boolean): void {
  if (isStuck && !isPseudo(fd)) {
    dropOutput(fd)
    fs.closeSync(fd)
  } else fs.close(fd, () => undefined)
}

/** Closing one of these never waits, and what others have written to it is not ours to drop. */
function isPseudo(fd: number): boolean {
  const major = Math.floor(fs.fstatSync(fd).rdev / 256) & 0xfff
  return process.platform !== 'linux' || (major >= 136 && major <= 143)
}

/** One text on its way to one terminal. */
export class TerminalWrite {
  readonly #fd: number
  readonly #bytes: Uint8Array
  readonly #deadlineMs: number
  readonly #onEnd: (shown: Shown) => void
  #at = 0
  #timer: NodeJS.Timeout | undefined

  /**
   * Begins at once, and mostly ends at once: `onEnd` may be called before the constructor returns.
   * @param isPatient whether it is waited for when it takes nothing now
   */
  constructor(fd: number, bytes: Uint8Array, isPatient: boolean, onEnd: (shown: Shown) => void) {
    this.#fd = fd
    this.#bytes = bytes
    this.#deadlineMs = performance.now() + (isPatient ? PATIENCE_MS : 0)
    this.#onEnd = onEnd
    this.#go()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #go(): void {
    const shown = this.#write()
    if (shown !== undefined) this.#onEnd(shown)
    else if (performance.now() >= this.#deadlineMs) this.#onEnd('given-up')
    else this.#timer = setTimeout(() => this.#go(), POLL_MS)
  }

  /** @returns undefined when it takes no more now */
  #write(): Shown | undefined {
    try {
      while (this.#at < this.#bytes.length) this.#at += fs.writeSync(this.#fd, this.#bytes, this.#at)
      return 'shown'
    } catch (error) {
      return errnoOf(error) === 'EAGAIN' ? undefined : 'failed'
    }
  }
}

/** A line as terminals want it: from the left margin, whatever was there. */
export function terminalLine(bytes: Uint8Array, start: number, end: number): Buffer {
  const line = Buffer.allocUnsafe(end - start + 3)
  line[0] = 0x0d
  line.set(bytes.subarray(start, end), 1)
  // Behind the line stands LF.
  const length = end - start
  line[length] = 0x0d
  line[length + 1] = 0x0a
  return line.subarray(0, length + 2)
}
