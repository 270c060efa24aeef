// What foreign senders send over the network, completed to RFC 5424. Hot: bench/micro/foreign.ts. As in local.ts, input, output and the
// prepared pieces lie in one memory, and a message on the usual paths costs no view, string or object.
//
// MSG is always the end of the input, byte for byte. What stood before it is told by the fields, or, where it was not written in the one
// usual way, kept in the SD-ELEMENT of as-received.ts: the input can be restored. docs/conformance.md has the table.

import { beginAsReceived, type Form, writeParam } from './as-received.ts'
import { CLOSE, COLON, CR, DASH, LESS, LF, NINE, SPACE, startsWith, ZERO } from './ascii.ts'
import { monthAt } from './calendar.ts'
import { HEAD_SCRATCH_BYTES, HeadWriter } from './head.ts'
import { KeyValueReader } from './key-value.ts'
import { PreludeReader } from './prelude.ts'
import { PRI_DEFAULT, readPri } from './priority.ts'
import { fieldEnd, isTimestamp } from './rfc5424.ts'
import { Rfc5424Completer } from './rfc5424-completer.ts'
import { SPARE_HOST_SCRATCH_BYTES, SpareHost } from './spare-host.ts'
import { isStampContinued, StampReader } from './stamp.ts'
import { offsetText } from './timestamp.ts'
import { hostWordEnd, isMnemonic, TagReader } from './words.ts'

const STAMP_BYTES = 15
const STAMP_SLOTS = 16
/** A stamp as it came, and what it became: `1 2026-11-23T02:50:00+00:00 `. */
const STAMP_SLOT_BYTES = 48
const STAMP_TEXT_BYTES = 28
/** A stamp without year may mean another year later. */
const STAMP_KEPT_S = 3600
const TIMESTAMP_LIMIT = 32
const HEADER_SPACES = 16
const HOSTNAME_LIMIT = 255

/** Room that the completer wants in the shared memory for its prepared pieces. */
export const FOREIGN_SCRATCH_BYTES = HEAD_SCRATCH_BYTES + SPARE_HOST_SCRATCH_BYTES + STAMP_SLOTS * STAMP_SLOT_BYTES
/** How much longer than its input a message may become at most. */
export const FOREIGN_GROWTH_LIMIT_BYTES = 2560

export interface ForeignOptions {
  /** Minutes east of UTC at a second since 1970 UTC, for times that tell no zone. */
  readonly minutesAt: (second: number) => number
  /** Whether NUL, LF and CR LF at the end were the sender's framing, and are dropped. On a wire that counts octets they may be text. */
  readonly isTrailerFraming: boolean
}

export class ForeignCompleter {
  /** Where HOSTNAME stands in the last message written; NILVALUE when it has none and no spare one is set. */
  hostStart = 0
  hostEnd = 0
  /** Whether the sender named that host; else it is the spare one. */
  hasHost = false
  /** Whether the header was understood; else the whole of it is in MSG, and so marked. */
  isParsed = true
  form: Form = 'unknown'

  readonly #memory: Uint8Array
  readonly #minutesAt: (second: number) => number
  readonly #isTrailerFraming: boolean
  readonly #head: HeadWriter
  readonly #spare: SpareHost
  readonly #rfc5424: Rfc5424Completer
  readonly #stamp = new StampReader()
  readonly #prelude = new PreludeReader()
  readonly #tag = new TagReader()
  readonly #keyValue = new KeyValueReader()
  readonly #stamps: number
  readonly #stampsReceived = new Float64Array(STAMP_SLOTS).fill(Number.NEGATIVE_INFINITY)
  #unparsed = 0

  /**
   * @param memory holds input and output alike
   * @param scratch offset of FOREIGN_SCRATCH_BYTES of it that are the completer's own
   */
  constructor(memory: Uint8Array, scratch: number, options: ForeignOptions) {
    this.#memory = memory
    const { minutesAt } = options
    this.#minutesAt = minutesAt
    this.#isTrailerFraming = options.isTrailerFraming
    this.#head = new HeadWriter(memory, scratch, (second) => {
      const minutes = minutesAt(second)
      return `1 ${new Date((second + minutes * 60) * 1000).toISOString().slice(0, 19)}.000000${offsetText(minutes)} `
    })
    this.#spare = new SpareHost(memory, scratch + HEAD_SCRATCH_BYTES)
    this.#stamps = scratch + HEAD_SCRATCH_BYTES + SPARE_HOST_SCRATCH_BYTES
    this.#rfc5424 = new Rfc5424Completer(memory, this.#head, this.#stamp, this.#spare, minutesAt)
  }

  /** Messages whose header was not understood since the last call. */
  takeUnparsed(): number {
    const unparsed = this.#unparsed
    this.#unparsed = 0
    return unparsed
  }

  /**
   * HOSTNAME of the messages to come that name none: the name or the address of the peer. Free when it is the same as before.
   * @param host 1 to 255 printable ASCII characters; empty for NILVALUE
   * @throws {RangeError} when it is no such name
   */
  setSpareHost(host: string): void {
    this.#spare.set(host)
  }

  /**
   * Completes the message at `start..end` to one of RFC 5424 at `out`, which needs room for `end - start + FOREIGN_GROWTH_LIMIT_BYTES`.
   * @param second seconds since 1970 UTC of receipt
   * @param micros microseconds within it
   * @returns end of the message
   */
  complete(start: number, end: number, out: number, second: number, micros: number): number {
    const memory = this.#memory
    const last = this.#isTrailerFraming ? this.#trimmed(start, end) : end
    this.isParsed = true
    const packed = readPri(memory, start, last)
    if (packed === -1) return this.#withoutPri(start, last, out, second, micros)
    const pri = packed >>> 3
    const at = start + (packed & 7)
    const isUsual = memory[start + 1] !== ZERO || (packed & 7) === 3
    if (at + 1 < last && memory[at]! > ZERO && memory[at]! <= NINE) {
      const rfc5424 = this.#rfc5424
      const done = rfc5424.complete(start, at, last, out, pri, isUsual, second, micros)
      if (done !== -1) {
        this.form = 'rfc5424'
        this.hasHost = rfc5424.hasHost
        this.hostStart = rfc5424.hostStart
        this.hostEnd = rfc5424.hostEnd
        return done
      }
    }
    if (at + STAMP_BYTES < last && memory[at + STAMP_BYTES] === SPACE && !isStampContinued(memory, at + STAMP_BYTES + 1, last)) {
      const head = this.#plainStamp(out, pri, at, second)
      if (head !== -1) return this.#hostAndText(start, at + STAMP_BYTES + 1, last, head, 'rfc3164', isUsual)
    } else if (at + 20 < last && memory[at + 10] === 0x54) {
      const stampEnd = fieldEnd(memory, at, last, TIMESTAMP_LIMIT)
      if (stampEnd !== -1 && isTimestamp(memory, at, stampEnd)) {
        let head = this.#head.pri(out, pri)
        memory[head++] = 0x31
        memory[head++] = SPACE
        memory.copyWithin(head, at, stampEnd + 1)
        head += stampEnd + 1 - at
        return this.#hostAndText(start, stampEnd + 1, last, head, 'rfc3339', isUsual)
      }
    }
    return this.#unusual(start, at, last, out, pri, second, micros, isUsual)
  }

  #trimmed(start: number, end: number): number {
    const memory = this.#memory
    let last = end
    while (last > start) {
      const byte = memory[last - 1]
      if (byte === LF) {
        last--
        if (last > start && memory[last - 1] === CR) last--
      } else if (byte === 0) last--
      else break
    }
    return last
  }

  #withoutPri(start: number, end: number, out: number, second: number, micros: number): number {
    const memory = this.#memory
    // The mark of UTF-8 before the PRI, as text writers of .NET leave it.
    if (end - start > 3 && memory[start] === 0xef && memory[start + 1] === 0xbb && memory[start + 2] === 0xbf) {
      const packed = readPri(memory, start + 3, end)
      if (packed !== -1) {
        const at = start + 3 + (packed & 7)
        const done = this.#rfc5424.complete(start, at, end, out, packed >>> 3, false, second, micros)
        if (done === -1) return this.#unusual(start, at, end, out, packed >>> 3, second, micros, false)
        this.form = 'rfc5424'
        this.hasHost = this.#rfc5424.hasHost
        this.hostStart = this.#rfc5424.hostStart
        this.hostEnd = this.#rfc5424.hostEnd
        return done
      }
    }
    return this.#unusual(start, start, end, out, -1, second, micros, false)
  }

  /**
   * Writes `<PRI>1 TIMESTAMP ` for the `Mmm dd hh:mm:ss` at `at`, or gives -1 when it is none. The last ones read are kept, since all in one second
   * look the same.
   */
  #plainStamp(out: number, pri: number, at: number, received: number): number {
    const memory = this.#memory
    const index = memory[at + STAMP_BYTES - 1]! & (STAMP_SLOTS - 1)
    const slot = this.#stamps + index * STAMP_SLOT_BYTES
    let place = STAMP_BYTES - 1
    while (place >= 0 && memory[at + place] === memory[slot + place]) place--
    if (place !== -1 || Math.abs(received - this.#stampsReceived[index]!) > STAMP_KEPT_S) {
      if (!this.#isPlainStamp(at)) return -1
      const stamp = this.#stamp
      if (stamp.read(memory, at, at + STAMP_BYTES) !== at + STAMP_BYTES || !stamp.resolve(received, this.#minutesAt)) return -1
      memory.copyWithin(slot, at, at + STAMP_BYTES)
      const text = slot + STAMP_BYTES
      memory[text] = 0x31
      memory[text + 1] = SPACE
      memory[stamp.write(memory, text + 2)] = SPACE
      this.#stampsReceived[index] = received
    }
    const to = this.#head.pri(out, pri)
    const from = slot + STAMP_BYTES
    for (let byte = 0; byte < STAMP_TEXT_BYTES; byte++) memory[to + byte] = memory[from + byte]!
    return to + STAMP_TEXT_BYTES
  }

  /** Whether it is written as section 4.1.2 wants, so that it can be told from the TIMESTAMP that it becomes. A leap second cannot. */
  #isPlainStamp(at: number): boolean {
    const memory = this.#memory
    if (memory[at + 3] !== SPACE || memory[at + 6] !== SPACE || memory[at + 9] !== COLON || memory[at + 4] === ZERO) return false
    if (memory[at + 13] === 0x36) return false
    return (memory[at]! & 0x20) === 0 && (memory[at + 1]! & 0x20) !== 0 && (memory[at + 2]! & 0x20) !== 0 && monthAt(memory, at) !== 0
  }

  /** Finds HOSTNAME, and what stands in its place. `head` is where it is written. */
  #hostAndText(start: number, at: number, end: number, head: number, form: Form, isUsual: boolean): number {
    const memory = this.#memory
    let from = this.#skipSpaces(at, end)
    const isAsUsual = isUsual && from === at
    const first = from < end ? memory[from] : 0
    // What BSD's and AIX's syslogd write in the place of the host.
    if (first === 0x6c && startsWith(memory, from, end, 'last message repeated '))
      return this.#finish(start, from, from, end, this.#spareHost(head), form, isAsUsual, false)
    if (first === 0x4d || first === 0x46) {
      const phrase = first === 0x4d ? 'Message forwarded from ' : 'Forwarded from '
      if (startsWith(memory, from, end, phrase)) {
        const host = from + phrase.length
        const colon = this.#colonOfWord(host, end)
        if (colon !== -1 && hostWordEnd(memory, host, colon) === colon)
          return this.#tagAndText(start, Math.min(colon + 2, end), end, this.#namedHost(host, colon, head), form, false)
      }
    }
    const hostEnd = hostWordEnd(memory, from, end)
    if (hostEnd === from || hostEnd >= end || memory[hostEnd] !== SPACE) {
      // `fw1: %ASA-6-302013: ` names the host as others do the program.
      const colon = this.#colonOfWord(from, end)
      if (colon !== -1 && isMnemonic(memory, colon + 2, end) && hostWordEnd(memory, from, colon) === colon)
        return this.#tagAndText(start, colon + 2, end, this.#namedHost(from, colon, head), form, false)
      // The tag alone, or an explicit none.
      if (first === DASH && from + 1 < end && memory[from + 1] === SPACE)
        return this.#tagAndText(start, from + 2, end, this.#spareHost(head), form, false)
      return this.#tagAndText(start, from, end, this.#spareHost(head), form, isAsUsual)
    }
    const to = this.#namedHost(from, hostEnd, head)
    from = hostEnd + 1
    return this.#tagAndText(start, from, end, to, form, isAsUsual)
  }

  /** The colon that ends the word at `at`, with a space or nothing behind it, or -1. */
  #colonOfWord(at: number, end: number): number {
    const memory = this.#memory
    const limit = Math.min(end, at + HOSTNAME_LIMIT + 1)
    let colon = at
    while (colon < limit && memory[colon]! > SPACE && (memory[colon] !== COLON || (colon + 1 < end && memory[colon + 1] !== SPACE))) colon++
    return colon < limit && colon > at && memory[colon] === COLON ? colon : -1
  }

  #namedHost(host: number, hostEnd: number, out: number): number {
    const memory = this.#memory
    this.hasHost = true
    this.hostStart = out
    let to = out
    for (let index = host; index < hostEnd; index++) memory[to++] = memory[index]!
    this.hostEnd = to
    return to
  }

  #spareHost(out: number): number {
    this.hasHost = false
    this.hostStart = out
    this.hostEnd = this.#spare.write(out)
    return this.hostEnd
  }

  /** `out` is behind HOSTNAME. */
  #tagAndText(start: number, at: number, end: number, out: number, form: Form, isUsual: boolean): number {
    const memory = this.#memory
    const tag = this.#tag
    let text = tag.read(memory, at, end)
    if (text !== -1) return this.#finish(start, at, text, end, out, form, isUsual && tag.isUsual, true)
    // `host : %ASA-6-302013: `, `host  app[1]: `, and a device's own header behind that of its relay: `host 82: Mar  1 10:00:00: %SYS-5-CONFIG_I: `.
    let from = this.#skipSpaces(at, end)
    if (from + 1 < end && memory[from] === COLON && memory[from + 1] === SPACE) from += 2
    let name: Form = form
    const prelude = this.#prelude
    const mnemonic = from < end && memory[from]! <= NINE ? prelude.read(memory, from, end, this.#stamp) : -1
    if (mnemonic !== -1 && prelude.isDevice && prelude.hostEnd === prelude.hostStart) {
      from = prelude.hasStamp && memory[mnemonic] === COLON ? mnemonic + 1 : mnemonic
      from = this.#skipSpaces(from, end)
      if (!isMnemonic(memory, from, end)) return this.#finish(start, at, at, end, out, form, isUsual, false)
      name = 'device'
    }
    text = from === at ? -1 : tag.read(memory, from, end)
    if (text === -1) return this.#finish(start, at, at, end, out, form, isUsual, false)
    return this.#finish(start, from, text, end, out, name, false, true)
  }

  /** Writes ` APP-NAME PROCID MSGID SD MSG`. `app` is where the tag stands, when there is one. */
  #finish(start: number, app: number, text: number, end: number, out: number, form: Form, isUsual: boolean, isTagged: boolean): number {
    const memory = this.#memory
    const tag = this.#tag
    this.form = form
    let to = out
    memory[to++] = SPACE
    if (isTagged) for (let index = app; index < tag.nameEnd; index++) memory[to++] = memory[index]!
    else memory[to++] = DASH
    memory[to++] = SPACE
    if (isTagged && tag.procEnd > tag.procStart) for (let index = tag.procStart; index < tag.procEnd; index++) memory[to++] = memory[index]!
    else memory[to++] = DASH
    memory[to++] = SPACE
    memory[to++] = DASH
    memory[to++] = SPACE
    if (isUsual) memory[to++] = DASH
    else {
      to = beginAsReceived(memory, to, form)
      if (text > start) to = writeParam(memory, to, 'head', start, text)
      memory[to++] = CLOSE
    }
    memory[to++] = SPACE
    memory.copyWithin(to, text, end)
    return to + end - text
  }

  /** All but the plain forms. `pri` is -1 when there is none, and then `at` is `start`. */
  #unusual(start: number, at: number, end: number, out: number, pri: number, second: number, micros: number, isUsual: boolean): number {
    const memory = this.#memory
    const prelude = this.#prelude
    const stamp = this.#stamp
    const known = pri === -1 ? PRI_DEFAULT : pri
    let from = at < end && memory[at] === LESS ? -1 : prelude.read(memory, at, end, stamp)
    if (from !== -1 && prelude.hasStamp && !stamp.resolve(second, this.#minutesAt)) from = -1
    const isColon = from !== -1 && prelude.hasStamp && from < end && memory[from] === COLON
    // A name before the time is one when a device wrote it; else `app: 2026-03-01 10:00:00 text` would be from a host `app`.
    const isNamed = prelude.hostEnd > prelude.hostStart
    if (isNamed && prelude.hasStamp && !prelude.isNumbered && !(isColon && isMnemonic(memory, this.#skipSpaces(from + 1, end), end)))
      from = -1
    // VERSION and the time of RFC 5424, but not the rest of its header.
    if (from !== -1 && prelude.hasStamp && stamp.isIso && this.#isVersioned(at, end)) from = -1
    if (from === -1) return this.#withoutStamp(start, at, end, out, pri, second, micros, isUsual)
    const form: Form =
      prelude.isDevice || isColon ? 'device' : !prelude.hasStamp ? 'bare' : stamp.isEpoch ? 'epoch' : stamp.isIso ? 'rfc3339' : 'rfc3164'
    let head: number
    // A clock that was never set tells nothing.
    if (!prelude.hasStamp || stamp.isUnset) head = this.#head.received(out, known, second, micros)
    else {
      head = this.#head.pri(out, known)
      memory[head++] = 0x31
      memory[head++] = SPACE
      head = stamp.write(memory, head)
      memory[head++] = SPACE
    }
    const behind = isColon || (prelude.hasStamp && from < end) ? from + 1 : from
    if (isNamed)
      return this.#tagAndText(
        start,
        this.#skipSpaces(behind, end),
        end,
        this.#namedHost(prelude.hostStart, prelude.hostEnd, head),
        form,
        false,
      )
    // Behind `time:` comes the text, and no host.
    if (isColon || !prelude.hasStamp) return this.#tagAndText(start, this.#skipSpaces(behind, end), end, this.#spareHost(head), form, false)
    return this.#hostAndText(start, behind, end, head, form, false)
  }

  /** RFC 3164 sections 4.3.2 and 4.3.3. */
  #withoutStamp(
    start: number,
    at: number,
    end: number,
    out: number,
    pri: number,
    second: number,
    micros: number,
    isUsual: boolean,
  ): number {
    const memory = this.#memory
    if (this.#keyValue.read(memory, at, end, this.#stamp) && this.#stamp.resolve(second, this.#minutesAt))
      return this.#keyValues(start, at, end, out, pri, isUsual)
    const head = this.#head.received(out, pri === -1 ? PRI_DEFAULT : pri, second, micros)
    const to = this.#spareHost(head)
    if (pri === -1 || this.#isVersioned(at, end) || (at < end && memory[at] === LESS)) {
      this.isParsed = false
      this.#unparsed++
      return this.#finish(pri === -1 || isUsual ? at : start, at, at, end, to, 'unknown', false, false)
    }
    return this.#tagAndText(start, at, end, to, 'bare', isUsual)
  }

  #isVersioned(at: number, end: number): boolean {
    return at + 1 < end && this.#memory[at]! > ZERO && this.#memory[at]! <= NINE && this.#memory[at + 1] === SPACE
  }

  #keyValues(start: number, at: number, end: number, out: number, pri: number, isUsual: boolean): number {
    const { hostStart, hostEnd } = this.#keyValue
    const head = this.#head.pri(out, pri === -1 ? PRI_DEFAULT : pri)
    this.#memory[head] = 0x31
    this.#memory[head + 1] = SPACE
    const time = this.#stamp.write(this.#memory, head + 2)
    this.#memory[time] = SPACE
    const to = hostEnd > hostStart ? this.#namedHost(hostStart, hostEnd, time + 1) : this.#spareHost(time + 1)
    return this.#finish(start, at, at, end, to, 'key-value', isUsual, false)
  }

  #skipSpaces(at: number, end: number): number {
    let from = at
    while (from < end && from - at < HEADER_SPACES && this.#memory[from] === SPACE) from++
    return from
  }
}
