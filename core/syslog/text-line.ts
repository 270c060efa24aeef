// One RFC 5424 message as one line of a text file:
//   2026-11-23T02:50:00.123456+00:00 web01 sshd[1234]: text
// and where the message itself says that it comes from db01, which web01 may not speak for:
//   2026-11-23T02:50:00.123456+00:00 web01/db01 sshd[1234]: text
// Hot: bench/micro/text-line.ts. The bytes of a line depend on the message and the origin alone, so that writing it again gives the same.

import { isClaim } from './claim.ts'
import { escapeText } from './escape.ts'

const SPACE = 0x20
const DASH = 0x2d
const SLASH = 0x2f
const HASH = 0x23
const LF = 0x0a
const LESS = 0x3c
const GREATER = 0x3e

/** A byte of the message takes at most four in the line. */
export const LINE_GROWTH = 4
/** And the line at most so much besides, with an origin of 253. */
export const LINE_EXTRA_BYTES = 640

/** Reads messages from and writes lines to one memory; nothing may start at its offset 0. */
export class TextLineFormatter {
  #memory: Uint8Array
  #words: Uint32Array
  #host = new Uint8Array(0)
  #origin = ''
  #nextHash = -1
  #to = 0
  #input: Buffer

  constructor(memory: Uint8Array<ArrayBuffer>) {
    this.#memory = memory
    this.#input = Buffer.from(memory.buffer)
    this.#words = new Uint32Array(memory.buffer, 0, memory.buffer.byteLength >>> 2)
  }

  /** The host that the following lines bear. */
  setOrigin(origin: string): void {
    if (origin === this.#origin) return
    this.#origin = origin
    this.#host = Buffer.from(` ${origin}`, 'latin1')
  }

  /** Tells that the input has changed and where it ends, so that nothing remembered of it holds. */
  newInput(end: number): void {
    this.#nextHash = -1
    this.#input = Buffer.from(this.#memory.buffer as ArrayBuffer, this.#memory.byteOffset, end)
  }

  /**
   * Writes the line of the message at `start..end`, with LF, to `out`, which needs LINE_GROWTH times the message and LINE_EXTRA_BYTES.
   * Control characters, also those of Unicode that drive a terminal, and bytes that are no UTF-8 are written as `#` and three octal digits, and so is a `#`
   * that would look like it: the text can be restored, and a line can neither forge another nor drive a terminal.
   * @returns end of the line
   */
  format(start: number, end: number, out: number): number {
    const memory = this.#memory
    let text = this.#writeHead(start, end, out)
    let to = this.#to
    if (text === -1) {
      text = start
      memory[out] = DASH
      to = this.#writeHost(out + 1)
      memory[to++] = SPACE
    }
    if (text < end) {
      if (this.#isPlain(text, end)) {
        memory.copyWithin(to, text, end)
        to += end - text
      } else to = escapeText(memory, text, end, memory, to, true)
    }
    memory[to] = LF
    return to + 1
  }

  /**
   * Writes all that stands before the text, field by field as they are read, and leaves its end in `#to`.
   * @returns where the text starts; -1 when this is no message of RFC 5424, and then what was written counts for nothing
   */
  #writeHead(start: number, end: number, out: number): number {
    const memory = this.#memory
    // `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID SD`
    let time = start + 3
    while (time < end && time < start + 5 && memory[time - 1] !== GREATER) time++
    if (memory[start] !== LESS || memory[time - 1] !== GREATER || memory[time] !== 0x31 || memory[time + 1] !== SPACE) return -1
    time += 2
    let to = this.#copyField(time, end, out)
    if (to === -1) return -1
    const name = time + to - out + 1
    to = this.#writeHost(to)
    let nameEnd = this.#ownNameEnd(name, end)
    if (nameEnd === -1) {
      nameEnd = this.#fieldEnd(name, end)
      if (nameEnd === -1) return -1
      if (isClaim(memory, name, nameEnd, this.#host, 1)) {
        memory[to++] = SLASH
        for (let index = name; index < nameEnd; index++) memory[to++] = memory[index]!
      }
    }
    memory[to++] = SPACE
    const appOut = to
    to = this.#copyField(nameEnd + 1, end, to)
    if (to === -1) return -1
    const proc = nameEnd + 1 + to - appOut + 1
    memory[to] = 0x5b
    const procTo = this.#copyField(proc, end, to + 1)
    if (procTo === -1) return -1
    const procEnd = proc + procTo - to - 1
    if (procEnd !== proc + 1 || memory[proc] !== DASH) {
      memory[procTo] = 0x5d
      to = procTo + 1
    }
    memory[to++] = 0x3a
    memory[to++] = SPACE
    this.#to = to
    return this.#skipStructuredData(this.#fieldEnd(procEnd + 1, end) + 1, end)
  }

  #writeHost(out: number): number {
    const memory = this.#memory
    const host = this.#host
    for (let index = 0; index < host.length; index++) memory[out + index] = host[index]!
    return out + host.length
  }

  /** The space behind the HOSTNAME at `start` when it is the origin's very name, as mostly; -1 for any other. */
  #ownNameEnd(start: number, end: number): number {
    const memory = this.#memory
    const host = this.#host
    const nameEnd = start + host.length - 1
    if (nameEnd >= end || memory[nameEnd] !== SPACE) return -1
    for (let index = 1; index < host.length; index++) if (memory[start + index - 1] !== host[index]) return -1
    return nameEnd
  }

  /** Copies the field of printable ASCII at `start` to `out`. @returns the end of the copy; -1 where no such field with a space behind it stands */
  #copyField(start: number, end: number, out: number): number {
    const memory = this.#memory
    let to = out
    let byte = 0
    for (let at = start; at < end; at++) {
      byte = memory[at]!
      if (byte <= SPACE || byte >= 0x7f) break
      memory[to++] = byte
    }
    return to > out && byte === SPACE ? to : -1
  }

  /** The space behind the field of printable ASCII at `start`, or -1. */
  #fieldEnd(start: number, end: number): number {
    if (start <= 0) return -1
    const memory = this.#memory
    let at = start
    while (at < end && memory[at]! > SPACE && memory[at]! < 0x7f) at++
    return at > start && at < end && memory[at] === SPACE ? at : -1
  }

  /** The place of the text behind STRUCTURED-DATA, or -1 when that is malformed. */
  #skipStructuredData(start: number, end: number): number {
    const memory = this.#memory
    if (start <= 0 || start >= end) return -1
    if (memory[start] === DASH) return start + 1 >= end ? end : memory[start + 1] === SPACE ? start + 2 : -1
    let at = start
    if (memory[at] !== 0x5b) return -1
    while (at < end && memory[at] === 0x5b) {
      let isQuoted = false
      for (at++; at < end; at++) {
        const byte = memory[at]!
        if (byte === 0x22) isQuoted = !isQuoted
        else if (byte === 0x5c && isQuoted) at++
        else if (byte === 0x5d && !isQuoted) break
      }
      if (at >= end) return -1
      at++
    }
    return at >= end ? end : memory[at] === SPACE ? at + 1 : -1
  }

  /** Whether the text can be copied as it is: printable ASCII without `#`. Four bytes at a time. */
  #isPlain(start: number, end: number): boolean {
    const memory = this.#memory
    if (this.#nextHash < start) {
      // memchr over what is left of the input: nearly free, and mostly once.
      const found = this.#input.indexOf(HASH, start)
      this.#nextHash = found === -1 ? this.#input.length : found
    }
    if (this.#nextHash < end) return false
    const firstWord = (start + 3) >>> 2
    const lastWord = end >>> 2
    if (lastWord <= firstWord) {
      for (let at = start; at < end; at++) if (memory[at]! < 0x20 || memory[at]! > 0x7e) return false
      return true
    }
    for (let at = start; at < firstWord << 2; at++) if (memory[at]! < 0x20 || memory[at]! > 0x7e) return false
    for (let at = lastWord << 2; at < end; at++) if (memory[at]! < 0x20 || memory[at]! > 0x7e) return false
    const words = this.#words
    let odd = 0
    for (let index = firstWord; index < lastWord; index++) {
      const word = words[index]!
      // The high bit of a byte is set where it is over 0x7f, below 0x20, or 0x7f.
      odd |= word | (word - 0x20202020) | (word + 0x01010101)
    }
    return (odd & 0x80808080) === 0
  }
}
