// Frames of RFC 6587 and RFC 5425 out of what a socket delivers. One kind per connection, told from its first bytes (first-bytes.ts).
//
//   state    takes                         becomes
//   between  LF, CR, NUL                   between   a stray trailer behind a counted frame
//   between  digit 1 to 9                  count
//   between  anything else                 broken
//   count    digit                         count, broken when there are over 9
//   count    SP                            message   of the length counted, broken when over COUNT_LIMIT_BYTES
//   count    anything else                 broken
//   message  the bytes counted             skip      of what is over the limit, at once when nothing is
//   skip     the rest                      between
//   line     up to LF or NUL               line      the message ends; CR before the LF is no part of it
//   line     more than the limit           drop      the message ends here
//   drop     up to LF or NUL               line
//   broken   everything                    broken

import { StateMachine } from '../base/state.ts'

const LF = 0x0a
const CR = 0x0d
const NUL = 0
const SPACE = 0x20

/** Ours: nine digits would be 1 GB. A length beyond this is a mistake or an attack, never a message: nobody waits for its end. */
export const COUNT_LIMIT_BYTES = 16 << 20
const DIGITS_LIMIT = 9
const FIRST_HELD_BYTES = 256

export type SyslogFraming = 'octet-counted' | 'lines'

export interface MessageReceiver {
  /** One message stands at `bytes[start..end]`, never empty, valid during the call alone. `isCut`: what was over the limit is not there. */
  onMessage(bytes: Buffer, start: number, end: number, isCut: boolean): void
}

type State = 'between' | 'count' | 'message' | 'skip' | 'line' | 'drop' | 'broken'
const NEXT = {
  between: ['count', 'broken'],
  count: ['message', 'broken'],
  message: ['skip', 'between'],
  skip: ['between'],
  line: ['drop'],
  drop: ['line'],
  broken: [],
} as const

/** A message that lies within one delivery is not copied. One that does not is held in memory that grows with it, up to the limit, and is given up after. */
export class SyslogDeframer {
  readonly #limitBytes: number
  readonly #receiver: MessageReceiver
  readonly #state: StateMachine<State>
  #held: Buffer | undefined
  #heldBytes = 0
  /** Of the frame under way: the length counted so far, then what of it is still to come. */
  #count = 0
  #digits = 0
  #wanted = 0
  #skip = 0

  /** @param limitBytes longest message: what is over it is cut off, passed over and never held */
  constructor(framing: SyslogFraming, limitBytes: number, receiver: MessageReceiver) {
    this.#limitBytes = limitBytes
    this.#receiver = receiver
    this.#state = new StateMachine<State>('syslog framing', NEXT, framing === 'lines' ? 'line' : 'between')
  }

  /** Whether a frame has begun and not ended. */
  get isWithin(): boolean {
    return this.#heldBytes > 0 || !this.#state.is('between', 'line', 'broken')
  }

  /** Bytes held of a message that is not whole yet. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** @returns why nothing more can be read of this connection, undefined while all is well */
  deliver(chunk: Buffer): string | undefined {
    if (this.#state.is('line', 'drop')) {
      this.#readLines(chunk)
      return undefined
    }
    for (let at = 0; at < chunk.length; ) {
      const next = this.#readCounted(chunk, at)
      if (typeof next === 'string') {
        this.#state.to('broken')
        this.#release()
        return next
      }
      at = next
    }
    return undefined
  }

  /** The connection has ended: a last line needs no trailer; of a counted frame that was cut nothing is left. @returns whether one was */
  end(): boolean {
    const isCut = this.isWithin && !this.#state.is('line', 'drop')
    if (this.#state.is('line') && this.#heldBytes > 0) this.#finishLine()
    this.#release()
    return isCut
  }

  #readCounted(chunk: Buffer, from: number): number | string {
    let at = from
    switch (this.#state.current) {
      case 'between': {
        const byte = chunk[at]!
        if (byte === LF || byte === CR || byte === NUL) return at + 1
        if (byte < 0x31 || byte > 0x39) return byte === 0x30 ? 'MSG-LEN begins with 0' : 'a frame does not begin with its length'
        this.#count = 0
        this.#digits = 0
        this.#state.to('count')
        return at
      }
      case 'count': {
        for (; at < chunk.length; at++) {
          const byte = chunk[at]!
          if (byte === SPACE) {
            if (this.#count > COUNT_LIMIT_BYTES) return `MSG-LEN ${this.#count} is over ${COUNT_LIMIT_BYTES}`
            this.#wanted = Math.min(this.#count, this.#limitBytes)
            this.#skip = this.#count - this.#wanted
            this.#state.to('message')
            return at + 1
          }
          if (byte < 0x30 || byte > 0x39) return 'MSG-LEN is not a number'
          if (this.#digits === DIGITS_LIMIT) return `MSG-LEN has over ${DIGITS_LIMIT} digits`
          this.#digits++
          this.#count = this.#count * 10 + byte - 0x30
        }
        return at
      }
      case 'message': {
        const take = Math.min(this.#wanted - this.#heldBytes, chunk.length - at)
        const isWhole = this.#heldBytes + take === this.#wanted
        if (this.#heldBytes === 0 && isWhole) this.#emit(chunk, at, at + take, this.#skip > 0)
        else {
          this.#hold(chunk, at, at + take)
          if (isWhole) this.#emit(this.#held!, 0, this.#heldBytes, this.#skip > 0)
        }
        if (isWhole) {
          this.#release()
          this.#state.to(this.#skip > 0 ? 'skip' : 'between')
        }
        return at + take
      }
      case 'skip': {
        const skipped = Math.min(this.#skip, chunk.length - at)
        this.#skip -= skipped
        if (this.#skip === 0) this.#state.to('between')
        return at + skipped
      }
      default:
        return 'the connection is broken already'
    }
  }

  #readLines(chunk: Buffer): void {
    // memchr for NUL once for all lines: mostly there is none.
    let nul = chunk.indexOf(NUL)
    for (let from = 0; from < chunk.length; ) {
      const lf = chunk.indexOf(LF, from)
      if (nul !== -1 && nul < from) nul = chunk.indexOf(NUL, from)
      const found = nul !== -1 && (lf === -1 || nul < lf) ? nul : lf
      const end = found === -1 ? chunk.length : found
      if (this.#state.is('line')) this.#takeLine(chunk, from, end, found !== -1)
      if (found === -1) return
      if (this.#state.is('drop')) this.#state.to('line')
      from = found + 1
    }
  }

  #takeLine(chunk: Buffer, from: number, end: number, isWhole: boolean): void {
    // One byte over the limit may be the CR of a line that just fits.
    if (this.#heldBytes + end - from > this.#limitBytes + 1) {
      const room = this.#limitBytes - Math.min(this.#heldBytes, this.#limitBytes)
      if (this.#heldBytes === 0) this.#emit(chunk, from, from + room, true)
      else {
        this.#hold(chunk, from, from + room)
        this.#emit(this.#held!, 0, this.#limitBytes, true)
      }
      this.#release()
      this.#state.to('drop')
    } else if (!isWhole) this.#hold(chunk, from, end)
    else if (this.#heldBytes > 0) {
      this.#hold(chunk, from, end)
      this.#finishLine()
    } else this.#emitLine(chunk, from, end)
  }

  #finishLine(): void {
    this.#emitLine(this.#held!, 0, this.#heldBytes)
    this.#release()
  }

  #emitLine(bytes: Buffer, start: number, end: number): void {
    const until = end > start && bytes[end - 1] === CR ? end - 1 : end
    const isCut = until - start > this.#limitBytes
    if (until > start) this.#receiver.onMessage(bytes, start, isCut ? start + this.#limitBytes : until, isCut)
  }

  /** OpenBSD's syslogd counts an LF behind the message too; it is no part of the text. */
  #emit(bytes: Buffer, start: number, end: number, isCut: boolean): void {
    const last = bytes[end - 1]
    const until = !isCut && (last === LF || last === NUL) ? end - 1 : end
    if (until > start) this.#receiver.onMessage(bytes, start, until, isCut)
  }

  #hold(chunk: Buffer, start: number, end: number): void {
    const wanted = this.#heldBytes + end - start
    if (wanted > (this.#held?.length ?? 0)) {
      const most = this.#limitBytes + 1
      const larger = Buffer.allocUnsafeSlow(Math.max(wanted, Math.min(most, Math.max(FIRST_HELD_BYTES, 2 * (this.#held?.length ?? 0)))))
      this.#held?.copy(larger, 0, 0, this.#heldBytes)
      this.#held = larger
    }
    chunk.copy(this.#held!, this.#heldBytes, start, end)
    this.#heldBytes = wanted
  }

  #release(): void {
    this.#held = undefined
    this.#heldBytes = 0
  }
}
