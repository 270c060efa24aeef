// Lines into a descriptor that never blocks, for pipes, programs and stream sockets. A line is done when the other side has read it, as far as the system
// tells; what is not done by the time it fails is written again. So each line comes at least once.

import * as fs from 'node:fs'
import { errnoOf } from '../base/errors.ts'
import type { MessageContext } from '../syslog/message-fields.ts'
import type { LineMaker } from './line-maker.ts'
import type { OutletEvents } from './outlet.ts'

const BUFFER_BYTES = 64 << 10
/** PIPE_BUF: up to here a write to a pipe is whole or not at all. */
const WHOLE_BYTES = process.platform === 'linux' ? 4096 : 512
const POLL_FIRST_MS = 1
const POLL_LIMIT_MS = 100

export interface LineWriterOptions {
  readonly fd: number
  readonly format: LineMaker
  /** Bytes that the other side has not read. @throws the error of the connection */
  readonly unread: (fd: number) => number
  /** Asked while something is not done, where the end of the other side is told by nothing else. @throws when it is gone */
  readonly look?: ((fd: number) => void) | undefined
  /** How long the other side must have lived after reading before it counts. */
  readonly settleMs: number
  /** Longest pause between two looks while something is not done. */
  readonly pollLimitMs?: number
}

export class LineWriter {
  readonly #options: LineWriterOptions
  readonly #events: OutletEvents
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  /** What is not written stands at from..to. */
  #from = 0
  #to = 0
  /** Where each line that is not done ends, in bytes since the start; the first `#endsDone` are done. */
  #ends: number[] = []
  #endsDone = 0
  #endsWritten = 0
  #added = 0
  #writtenBytes = 0
  #pollMs = POLL_FIRST_MS
  #timer: NodeJS.Timeout | undefined
  #read = 0
  /** Lines read at an earlier moment, and that moment: once it is old enough, they are done. */
  #sample = { lines: 0, atMs: 0 }
  #settled = 0
  #isStopped = false

  constructor(options: LineWriterOptions, events: OutletEvents) {
    this.#options = options
    this.#events = events
  }

  /** @throws never; what the descriptor says comes with flush */
  add(bytes: Uint8Array, start: number, end: number, context: MessageContext): boolean {
    const { format } = this.#options
    // Cheap enough to be made again when there is no room, which is rare.
    format.make(bytes, start, end, context)
    const length = format.end - format.start
    if (this.#to + length > this.#buffer.length && !this.#makeRoom(length)) return false
    this.#buffer.set(format.bytes.subarray(format.start, format.end), this.#to)
    this.#to += length
    this.#ends.push(this.#writtenBytes + this.#to - this.#from)
    this.#added++
    return true
  }

  /** Writes what it can. @throws the errno of the failing write, or what `look` throws */
  flush(): void {
    if (this.#endsDone < this.#ends.length) this.#options.look?.(this.#options.fd)
    while (this.#from < this.#to) {
      const piece = this.#piece()
      let done = 0
      try {
        done = fs.writeSync(this.#options.fd, this.#buffer, this.#from, piece)
      } catch (error) {
        if (errnoOf(error) !== 'EAGAIN') throw error
      }
      if (done === 0) break
      this.#pollMs = POLL_FIRST_MS
      this.#from += done
      this.#writtenBytes += done
    }
    if (this.#from === this.#to) this.#from = this.#to = 0
    this.#watch()
  }

  /** Lines that the other side has read, and lived on. @throws the error of the connection */
  done(): number {
    const { settleMs } = this.#options
    this.#read = Math.max(this.#read, this.#countRead())
    if (settleMs === 0) return this.#read
    const nowMs = performance.now()
    if (nowMs - this.#sample.atMs >= settleMs) {
      this.#settled = this.#sample.lines
      this.#sample = { lines: this.#read, atMs: nowMs }
    }
    return this.#settled
  }

  /** Writes what it can. @returns whether the other side has read everything @throws as flush and done */
  isAllRead(): boolean {
    this.flush()
    this.#read = Math.max(this.#read, this.#countRead())
    return this.#read === this.#added
  }

  /** All that was read is done: the other side has ended well. */
  settleAll(): void {
    this.#settled = this.#read
    this.#sample = { lines: this.#read, atMs: performance.now() }
  }

  /** The descriptor is asked no more: it may be closed. */
  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #countRead(): number {
    if (this.#isStopped || this.#added === this.#read) return this.#read
    const readBytes = this.#writtenBytes - this.#options.unread(this.#options.fd)
    while (this.#endsDone < this.#ends.length && this.#ends[this.#endsDone]! <= readBytes) this.#endsDone++
    const read = this.#added - (this.#ends.length - this.#endsDone)
    if (this.#endsDone > 1024 && this.#endsDone * 2 > this.#ends.length) {
      this.#ends = this.#ends.slice(this.#endsDone)
      this.#endsWritten = Math.max(0, this.#endsWritten - this.#endsDone)
      this.#endsDone = 0
    }
    return read
  }

  #makeRoom(length: number): boolean {
    try {
      this.flush()
    } catch (error) {
      // Said again, in its place.
      queueMicrotask(() => this.#events.onFailed(error as Error))
      return false
    }
    if (this.#from > 0) {
      this.#buffer.copyWithin(0, this.#from, this.#to)
      this.#to -= this.#from
      this.#from = 0
    }
    if (this.#to + length <= this.#buffer.length) return true
    if (this.#to > 0) return false
    // A single line that is longer than all our room.
    this.#buffer = Buffer.allocUnsafeSlow(length)
    return true
  }

  /** Bytes of whole lines that one write takes all of, or none; of a longer line, what it takes. */
  #piece(): number {
    const base = this.#writtenBytes
    while (this.#endsWritten < this.#ends.length && this.#ends[this.#endsWritten]! <= base) this.#endsWritten++
    const first = this.#ends[this.#endsWritten]! - base
    if (first > WHOLE_BYTES) return first
    let piece = first
    for (let index = this.#endsWritten + 1; index < this.#ends.length && this.#ends[index]! - base <= WHOLE_BYTES; index++)
      piece = this.#ends[index]! - base
    return piece
  }

  /** No event tells when a reader has read: looked for, soon and then less often, while something is not done. */
  #watch(): void {
    if (this.#isStopped || this.#timer !== undefined || (this.#ends.length === this.#endsDone && this.#settled === this.#added)) return
    if (this.#options.settleMs === 0 && this.#ends.length === this.#endsDone) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#pollMs = Math.min(this.#options.pollLimitMs ?? POLL_LIMIT_MS, this.#pollMs * 2)
      this.#events.onChange()
    }, this.#pollMs)
  }
}
