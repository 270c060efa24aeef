// Where the fields of a canonical RFC 5424 message stand in a buffer. One object for all messages of a thread; what is not asked for is not looked for.

import { BACKSLASH, CLOSE, DASH, GREATER, LESS, OPEN, QUOTE, SPACE } from './ascii.ts'
import { PRI_DEFAULT, readPri } from './priority.ts'

const FIELD_LIMIT = 1024

export class MessageFields {
  bytes: Uint8Array = new Uint8Array(0)
  start = 0
  end = 0
  pri = 0
  /** False when there is no header of RFC 5424; then every field is empty and the text is the whole message. */
  isParsed = false
  timeStart = 0
  timeEnd = 0
  hostStart = 0
  hostEnd = 0
  appStart = 0
  appEnd = 0
  procStart = 0
  procEnd = 0
  idStart = 0
  idEnd = 0
  dataStart = 0
  dataEnd = 0
  textStart = 0
  #buffer = Buffer.alloc(0)
  #isLocated = false
  #text: string | undefined

  /** Begins with the message at `start..end`; only its PRI is read. Hot. */
  begin(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes
    this.start = start
    this.end = end
    const packed = readPri(bytes, start, end)
    this.pri = packed === -1 ? PRI_DEFAULT : packed >>> 3
    this.#isLocated = false
    this.#text = undefined
  }

  /** Finds the fields. Any of them may be read afterwards. */
  locate(): void {
    if (this.#isLocated) return
    this.#isLocated = true
    this.isParsed = this.#locate()
    if (this.isParsed) return
    const { start } = this
    this.timeStart = this.timeEnd = this.hostStart = this.hostEnd = this.appStart = this.appEnd = start
    this.procStart = this.procEnd = this.idStart = this.idEnd = this.dataStart = this.dataEnd = this.textStart = start
  }

  /** The text without the mark of UTF-8 before it; bytes that are no UTF-8 become U+FFFD. Made once a message. */
  text(): string {
    if (this.#text !== undefined) return this.#text
    this.locate()
    this.#text = this.string(this.plainTextStart(), this.end)
    return this.#text
  }

  /** Where the text begins behind the byte order mark that RFC 5424 section 6.4 puts before UTF-8. */
  plainTextStart(): number {
    const { bytes, textStart: at } = this
    return at + 3 <= this.end && bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf ? at + 3 : at
  }

  string(start: number, end: number): string {
    const { bytes } = this
    if (this.#buffer.buffer !== bytes.buffer || this.#buffer.byteOffset !== bytes.byteOffset || this.#buffer.length !== bytes.length)
      this.#buffer = Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length)
    return this.#buffer.toString('utf8', start, end)
  }

  /** A field as text, empty for NILVALUE. */
  field(start: number, end: number): string {
    return end - start === 1 && this.bytes[start] === DASH ? '' : this.string(start, end)
  }

  #locate(): boolean {
    const { bytes, start, end } = this
    let at = start + 2
    while (at < end && at < start + 4 && bytes[at] !== GREATER) at++
    if (bytes[start] !== LESS || bytes[at] !== GREATER || bytes[at + 1] !== 0x31 || bytes[at + 2] !== SPACE || at + 3 >= end) return false
    this.timeStart = at + 3
    this.timeEnd = this.#fieldEnd(this.timeStart)
    this.hostStart = this.timeEnd + 1
    this.hostEnd = this.timeEnd === -1 ? -1 : this.#fieldEnd(this.hostStart)
    this.appStart = this.hostEnd + 1
    this.appEnd = this.hostEnd === -1 ? -1 : this.#fieldEnd(this.appStart)
    this.procStart = this.appEnd + 1
    this.procEnd = this.appEnd === -1 ? -1 : this.#fieldEnd(this.procStart)
    this.idStart = this.procEnd + 1
    this.idEnd = this.procEnd === -1 ? -1 : this.#fieldEnd(this.idStart)
    if (this.idEnd === -1 || this.idEnd + 1 >= end) return false
    this.dataStart = this.idEnd + 1
    const dataEnd = laxDataEnd(bytes, this.dataStart, end)
    if (dataEnd === -1 || dataEnd > end || (dataEnd < end && bytes[dataEnd] !== SPACE)) return false
    this.dataEnd = dataEnd
    this.textStart = Math.min(dataEnd + 1, end)
    return true
  }

  #fieldEnd(start: number): number {
    const { bytes } = this
    const limit = Math.min(this.end, start + FIELD_LIMIT + 1)
    let at = start
    while (at < limit && bytes[at]! > SPACE && bytes[at]! < 0x7f) at++
    return at > start && at < limit && bytes[at] === SPACE ? at : -1
  }
}

/** End of STRUCTURED-DATA, or -1. As TextLineFormatter finds it, which lets pass what is malformed within an element, so that all agree where the text begins. */
function laxDataEnd(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] === DASH) return start + 1
  let at = start
  while (at < end && bytes[at] === OPEN) {
    let isQuoted = false
    for (at++; at < end; at++) {
      const byte = bytes[at]
      if (byte === QUOTE) isQuoted = !isQuoted
      else if (byte === BACKSLASH && isQuoted) at++
      else if (byte === CLOSE && !isQuoted) break
    }
    if (at >= end) return -1
    at++
  }
  return at > start ? at : -1
}

/** What is known of a message beside its bytes. The same for all of a batch, so one object serves many messages. */
export interface MessageContext {
  /** The name that the sender proved; on an agent its own. */
  readonly host: string
  /** Who handed it over: the host itself, or the relay next to us. */
  readonly peer: string
  /** The relays that it came by, from the first to the last, with commas. */
  readonly via: string
  /** Address of the originator as the first relay saw it; empty where that is not known. */
  readonly sourceIp: string
  /** Microseconds since 1970 UTC. */
  readonly receivedUs: number
  /** The name of this host, which `+@` means. */
  readonly localHost: string
  /** The stream and the sequence number in it, for a name that no other message has. */
  readonly stream: string
  readonly sequence: number
}

/** A context with what is given, and nothing else known. */
export function messageContext(known: Partial<MessageContext>): MessageContext {
  const host = known.host ?? ''
  return { peer: host, via: '', sourceIp: '', receivedUs: 0, localHost: host, stream: '', sequence: 0, ...known, host }
}
