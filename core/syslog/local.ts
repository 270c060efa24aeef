// What a local socket gives, completed to RFC 5424. Hot: bench/micro/local.ts. Input, output and the prepared pieces lie in one memory, so that
// copyWithin moves them: no view, string or object per message on the usual path.

import { CLOSE, COLON, LESS, OPEN, SPACE, writeText, ZERO } from './ascii.ts'
import { HEAD_SCRATCH_BYTES, HeadWriter } from './head.ts'
import { PRI_DEFAULT, readPri } from './priority.ts'
import { fieldEnd, isTimestamp, structuredDataEnd } from './rfc5424.ts'
import { formatTimestamp, localOffset, localSecond, readRfc3164Timestamp } from './timestamp.ts'

// RFC 5424 sections 6.2.4 to 6.2.7.
const HOSTNAME_LIMIT = 255
const APP_NAME_LIMIT = 48
const PROCID_LIMIT = 128
const MSGID_LIMIT = 32

/**
 * The SD-ELEMENT that carries what the kernel says of the sender. 32473 is the enterprise number that RFC 5612 sets aside for examples;
 * the project has none of its own yet.
 */
export const SENDER_SD_ID = 'sender@32473'

const SENDERS = 256
const SENDER_BYTES = 128
const STAMP_BYTES = 16

/** Room that the completer wants in the shared memory for its prepared pieces. */
export const SCRATCH_BYTES = HEAD_SCRATCH_BYTES + STAMP_BYTES + SENDERS * SENDER_BYTES
/** How much longer than its input a message may become at most, with a host name of 255. */
export const GROWTH_LIMIT_BYTES = 1024

const SENTINEL_NO_PID = 0

function escapeParam(text: string): string {
  return text.replace(/["\\\]]/g, '\\$&')
}

export class LocalCompleter {
  readonly #memory: Uint8Array
  readonly #hostname: string
  readonly #shortName: string
  readonly #head: HeadWriter
  readonly #stamp: number
  readonly #senders: number
  readonly #senderPids = new Float64Array(SENDERS).fill(-1)
  readonly #senderUids = new Float64Array(SENDERS).fill(-1)
  readonly #senderClaims = new Float64Array(SENDERS).fill(-1)
  readonly #senderLengths = new Uint8Array(SENDERS)
  #stampSecond = -1
  #stampReceived = -1
  #unparsed = 0

  /**
   * @param memory holds input and output alike
   * @param scratch offset of SCRATCH_BYTES of it that are the completer's own
   * @param hostname HOSTNAME of every message, 1 to 255 printable ASCII characters
   */
  constructor(memory: Uint8Array, scratch: number, hostname: string) {
    this.#memory = memory
    this.#hostname = hostname
    this.#shortName = hostname.split('.', 1)[0]!
    this.#head = new HeadWriter(memory, scratch, (second) => {
      const date = new Date(second * 1000)
      return `1 ${localSecond(date)}.000000${localOffset(date)} ${hostname} `
    })
    this.#stamp = scratch + HEAD_SCRATCH_BYTES
    this.#senders = this.#stamp + STAMP_BYTES
  }

  /** Messages without a header we know since the last call. */
  takeUnparsed(): number {
    const unparsed = this.#unparsed
    this.#unparsed = 0
    return unparsed
  }

  /**
   * Completes the datagram at `start..end` to one RFC 5424 message at `out`, which needs room for `end - start + GROWTH_LIMIT_BYTES`.
   * Trailing NUL and LF are the sender's framing and are dropped; all other bytes of the text are kept as they are.
   * @param second seconds since 1970 UTC of receipt
   * @param micros microseconds within it
   * @param pid what the kernel says, 0 when it does not know (another pid namespace)
   * @param uid what the kernel says, -1 when it says nothing
   * @returns end of the message
   */
  complete(start: number, end: number, out: number, second: number, micros: number, pid: number, uid: number): number {
    const memory = this.#memory
    while (end > start && (memory[end - 1] === 0 || memory[end - 1] === 0x0a)) end--
    let at = start
    let pri = -1
    const packed = readPri(memory, start, end)
    if (packed !== -1) {
      pri = packed >>> 3
      at += packed & 7
    }
    if (pri === -1) {
      this.#unparsed++
      pri = PRI_DEFAULT
      // What looks like a PRI and is none must not end up in APP-NAME.
      if (at < end && memory[at] === LESS) return this.#untagged(at, end, this.#head.received(out, pri, second, micros), pid, uid)
    } else if (at + 2 < end && memory[at] === 0x31 && memory[at + 1] === SPACE) {
      const done = this.#completeRfc5424(at + 2, end, out, pri, second, micros, pid, uid)
      if (done !== -1) return done
      this.#unparsed++
      return this.#untagged(at, end, this.#head.received(out, pri, second, micros), pid, uid)
    }
    // RFC 3164 section 4.1.2, without the host that a local sender leaves out.
    let claimed = -1
    if (at + 15 <= end && memory[at + 3] === SPACE && memory[at + 6] === SPACE && memory[at + 9] === COLON) {
      claimed = this.#readStamp(at, second)
      if (claimed !== -1) {
        at += 15
        if (at < end && memory[at] === SPACE) at++
      }
    }
    // Within a second of the receipt both mean the same moment, and the receipt is known to the microsecond.
    const isNow = claimed === -1 || (claimed <= second + 1 && claimed >= second - 1)
    const head = isNow ? this.#head.received(out, pri, second, micros) : this.#headAt(out, pri, claimed)
    return this.#tagAndText(at, end, head, pid, uid)
  }

  /** Finds TAG (section 4.1.3): `name:` or `name[pid]:`, also behind our own host name. */
  #tagAndText(start: number, end: number, head: number, pid: number, uid: number): number {
    const memory = this.#memory
    let from = start
    for (let round = 0; round < 2; round++) {
      const limit = Math.min(end, from + APP_NAME_LIMIT + 1)
      let at = from
      let byte = 0
      for (; at < limit; at++) {
        byte = memory[at]!
        if (byte === COLON || byte === OPEN || byte <= SPACE || byte > 0x7e) break
      }
      if (at === from || at === limit) break
      if (byte === SPACE && round === 0 && this.#isOwnName(from, at)) {
        from = at + 1
        continue
      }
      if (byte === COLON) {
        if (at + 1 < end && memory[at + 1] !== SPACE) break
        const out = this.#copy(from, at, head)
        return this.#copy(Math.min(at + 2, end), end, this.#sender(out, pid, uid, pid))
      }
      if (byte !== OPEN) break
      const claimedStart = at + 1
      let close = claimedStart
      let claimed = 0
      const claimedLimit = Math.min(end, claimedStart + PROCID_LIMIT)
      for (; close < claimedLimit && memory[close] !== CLOSE; close++) {
        const digit = memory[close]! - ZERO
        if (digit < -ZERO + 0x21 || digit > 0x7e - ZERO) break
        claimed = digit >= 0 && digit <= 9 ? claimed * 10 + digit : Number.NaN
      }
      if (close === claimedStart || close >= end || memory[close] !== CLOSE) break
      let text = close + 1
      if (text < end && memory[text] === COLON) text++
      else if (text < end && memory[text] !== SPACE) break
      if (text < end && memory[text] === SPACE) text++
      const out = this.#copy(from, at, head)
      const isPlain = claimed <= 0xffffffff && pid !== SENTINEL_NO_PID && memory[claimedStart] !== ZERO
      const behind = isPlain ? this.#sender(out, pid, uid, claimed) : this.#claimedSender(out, pid, uid, this.#string(claimedStart, close))
      return this.#copy(text, end, behind)
    }
    return this.#untagged(from, end, head, pid, uid)
  }

  #untagged(start: number, end: number, head: number, pid: number, uid: number): number {
    this.#memory[head] = 0x2d
    return this.#copy(start, end, this.#sender(head + 1, pid, uid, pid))
  }

  #completeRfc5424(start: number, end: number, out: number, pri: number, second: number, micros: number, pid: number, uid: number): number {
    const memory = this.#memory
    const timeEnd = fieldEnd(memory, start, end, 32)
    if (timeEnd === -1) return -1
    const isNil = timeEnd === start + 1 && memory[start] === 0x2d
    if (!isNil && !isTimestamp(memory, start, timeEnd)) return -1
    const hostEnd = fieldEnd(memory, timeEnd + 1, end, HOSTNAME_LIMIT)
    if (hostEnd === -1) return -1
    const appEnd = fieldEnd(memory, hostEnd + 1, end, APP_NAME_LIMIT)
    if (appEnd === -1) return -1
    const procEnd = fieldEnd(memory, appEnd + 1, end, PROCID_LIMIT)
    if (procEnd === -1) return -1
    const idEnd = fieldEnd(memory, procEnd + 1, end, MSGID_LIMIT)
    if (idEnd === -1) return -1
    const dataEnd = structuredDataEnd(memory, idEnd + 1, end)
    if (dataEnd === -1 || (dataEnd < end && memory[dataEnd] !== SPACE)) return -1
    const host = this.#string(timeEnd + 1, hostEnd)
    const proc = this.#string(appEnd + 1, procEnd)
    const time = isNil ? formatTimestamp(second * 1_000_000 + micros) : this.#string(start, timeEnd)
    const claimedHost = host === '-' || host === this.#hostname || host === this.#shortName ? undefined : host
    const claimedProc = proc === '-' || pid === SENTINEL_NO_PID || proc === String(pid) ? undefined : proc
    let at = this.#text(out, `<${pri}>1 ${time} ${this.#hostname} `)
    at = this.#copy(hostEnd + 1, appEnd, at)
    at = this.#text(at, ` ${pid === SENTINEL_NO_PID ? proc : pid} `)
    at = this.#copy(procEnd + 1, idEnd, at)
    const element = this.#element(pid, uid, claimedProc, claimedHost)
    at = this.#text(at, ` ${element}`)
    // Our element first, theirs as they are; a lone NILVALUE gives way to ours.
    if (element === '' || memory[idEnd + 1] !== 0x2d) at = this.#copy(idEnd + 1, dataEnd, at)
    return this.#copy(dataEnd, end, at)
  }

  /** `<PRI>1 TIMESTAMP HOSTNAME ` with a time that was claimed: to the second, as it was told. */
  #headAt(out: number, pri: number, second: number): number {
    const date = new Date(second * 1000)
    return this.#text(out, `<${pri}>1 ${localSecond(date)}${localOffset(date)} ${this.#hostname} `)
  }

  /** Seconds of the `Mmm dd hh:mm:ss` at `at`, or -1. The last one read is kept, since all in one second look the same. */
  #readStamp(at: number, received: number): number {
    const memory = this.#memory
    const stamp = this.#stamp
    let index = 14
    while (index >= 0 && memory[at + index] === memory[stamp + index]) index--
    if (index === -1 && this.#stampSecond !== -1 && Math.abs(received - this.#stampReceived) < 3600) return this.#stampSecond
    const second = readRfc3164Timestamp(this.#string(at, at + 15), received * 1000)
    if (second === undefined) return -1
    memory.copyWithin(stamp, at, at + 15)
    this.#stampSecond = second
    this.#stampReceived = received
    return second
  }

  /**
   * ` PROCID MSGID SD `. The kernel's pid wins; another one that the sender claims is kept beside it.
   * @param claimed the pid itself when nothing else is claimed
   */
  #sender(out: number, pid: number, uid: number, claimed: number): number {
    const slot = (pid ^ (uid * 31) ^ (claimed * 7)) & (SENDERS - 1)
    const from = this.#senders + slot * SENDER_BYTES
    if (this.#senderPids[slot] !== pid || this.#senderUids[slot] !== uid || this.#senderClaims[slot] !== claimed) {
      const element = this.#element(pid, uid, claimed === pid ? undefined : String(claimed), undefined)
      this.#senderLengths[slot] = this.#text(from, ` ${pid === SENTINEL_NO_PID ? '-' : pid} - ${element === '' ? '-' : element} `) - from
      this.#senderPids[slot] = pid
      this.#senderUids[slot] = uid
      this.#senderClaims[slot] = claimed
    }
    const length = this.#senderLengths[slot]!
    this.#memory.copyWithin(out, from, from + length)
    return out + length
  }

  /** The same for a claim that is no plain number, or where the kernel knows no pid. */
  #claimedSender(out: number, pid: number, uid: number, claimed: string): number {
    if (pid === SENTINEL_NO_PID) {
      const element = this.#element(pid, uid, undefined, undefined)
      return this.#text(out, ` ${claimed} - ${element === '' ? '-' : element} `)
    }
    return this.#text(out, ` ${pid} - ${this.#element(pid, uid, claimed, undefined)} `)
  }

  #element(pid: number, uid: number, claimedPid: string | undefined, claimedHost: string | undefined): string {
    let params = pid === SENTINEL_NO_PID ? '' : ` pid="${pid}"`
    if (uid !== -1) params += ` uid="${uid}"`
    if (claimedPid !== undefined) params += ` claimedPid="${escapeParam(claimedPid)}"`
    if (claimedHost !== undefined) params += ` claimedHost="${escapeParam(claimedHost)}"`
    return params === '' ? '' : `[${SENDER_SD_ID}${params}]`
  }

  #isOwnName(start: number, end: number): boolean {
    if (end - start !== this.#hostname.length && end - start !== this.#shortName.length) return false
    const name = this.#string(start, end)
    return name === this.#hostname || name === this.#shortName
  }

  #copy(start: number, end: number, out: number): number {
    this.#memory.copyWithin(out, start, end)
    return out + end - start
  }

  /** Writes ASCII. */
  #text(out: number, text: string): number {
    return writeText(this.#memory, out, text)
  }

  #string(start: number, end: number): string {
    let text = ''
    for (let index = start; index < end; index++) text += String.fromCharCode(this.#memory[index]!)
    return text
  }
}
