// RFC 5424 as it comes over a network. What is right goes through byte for byte; what is nearly right is put right, and the element of
// as-received.ts keeps each field as it was.

import { beginAsReceived, writeParam } from './as-received.ts'
import { CLOSE, DASH, isDigit, SPACE, writeText } from './ascii.ts'
import type { HeadWriter } from './head.ts'
import { fieldEnd, isTimestamp, structuredDataEnd } from './rfc5424.ts'
import type { SpareHost } from './spare-host.ts'
import type { StampReader } from './stamp.ts'

// RFC 5424 sections 6.2.4 to 6.2.7.
const HOSTNAME_LIMIT = 255
const APP_NAME_LIMIT = 48
const PROCID_LIMIT = 128
const MSGID_LIMIT = 32
/** Ours: a longer field is none. */
const FIELD_LIMIT = 255
const TIME_LIMIT = 48
const VERSION_DIGITS = 3

export class Rfc5424Completer {
  hostStart = 0
  hostEnd = 0
  hasHost = false
  readonly #memory: Uint8Array
  readonly #head: HeadWriter
  readonly #stamp: StampReader
  readonly #spare: SpareHost
  readonly #minutesAt: (second: number) => number

  constructor(memory: Uint8Array, head: HeadWriter, stamp: StampReader, spare: SpareHost, minutesAt: (second: number) => number) {
    this.#memory = memory
    this.#head = head
    this.#stamp = stamp
    this.#spare = spare
    this.#minutesAt = minutesAt
  }

  /**
   * @param start of the message
   * @param version where VERSION would stand, behind the PRI
   * @param isUsual whether the PRI is written as section 6.2.1 wants
   * @returns end of the message written to `out`, or -1 when this is no RFC 5424
   */
  complete(
    start: number,
    version: number,
    end: number,
    out: number,
    pri: number,
    isUsual: boolean,
    second: number,
    micros: number,
  ): number {
    const memory = this.#memory
    let versionEnd = version
    while (versionEnd < end && versionEnd - version < VERSION_DIGITS && isDigit(memory[versionEnd]!)) versionEnd++
    if (versionEnd === version || versionEnd >= end || memory[versionEnd] !== SPACE) return -1
    const time = versionEnd + 1
    const timeEnd = fieldEnd(memory, time, end, TIME_LIMIT)
    if (timeEnd === -1) return -1
    const isNilTime = timeEnd === time + 1 && memory[time] === DASH
    const isRightTime = !isNilTime && isTimestamp(memory, time, timeEnd)
    if (!isNilTime && !isRightTime) {
      const stamp = this.#stamp
      if (stamp.read(memory, time, timeEnd) !== timeEnd || !stamp.isIso || !stamp.resolve(second, this.#minutesAt)) return -1
    }
    const host = timeEnd + 1
    const hostEnd = fieldEnd(memory, host, end, HOSTNAME_LIMIT)
    if (hostEnd === -1) return -1
    const app = hostEnd + 1
    const appEnd = fieldEnd(memory, app, end, FIELD_LIMIT)
    if (appEnd === -1) return -1
    const proc = appEnd + 1
    const procEnd = fieldEnd(memory, proc, end, FIELD_LIMIT)
    if (procEnd === -1) return -1
    const id = procEnd + 1
    const idEnd = lastFieldEnd(memory, id, end, FIELD_LIMIT)
    if (idEnd === -1) return -1
    const data = Math.min(idEnd + 1, end)
    let dataEnd = data < end ? structuredDataEnd(memory, data, end) : -1
    if (dataEnd !== -1 && dataEnd < end && memory[dataEnd] !== SPACE) dataEnd = -1
    this.hasHost = hostEnd !== host + 1 || memory[host] !== DASH
    const isRight =
      isUsual &&
      isRightTime &&
      dataEnd !== -1 &&
      (this.hasHost || this.#spare.isNil) &&
      versionEnd === version + 1 &&
      memory[version] === 0x31 &&
      appEnd - app <= APP_NAME_LIMIT &&
      procEnd - proc <= PROCID_LIMIT &&
      idEnd - id <= MSGID_LIMIT
    if (isRight) {
      this.hostStart = out + host - start
      this.hostEnd = out + hostEnd - start
      memory.copyWithin(out, start, end)
      return out + end - start
    }
    // `<PRI>1 TIMESTAMP `
    let at: number
    if (isNilTime) at = this.#head.received(out, pri, second, micros)
    else {
      at = this.#head.pri(out, pri)
      memory[at++] = 0x31
      memory[at++] = SPACE
      at = isRightTime ? this.#copy(time, timeEnd, at) : this.#stamp.write(memory, at)
      memory[at++] = SPACE
    }
    this.hostStart = at
    at = this.hasHost ? this.#copy(host, hostEnd, at) : this.#spare.write(at)
    this.hostEnd = at
    memory[at++] = SPACE
    at = this.#copy(app, Math.min(appEnd, app + APP_NAME_LIMIT), at)
    memory[at++] = SPACE
    at = this.#copy(proc, Math.min(procEnd, proc + PROCID_LIMIT), at)
    memory[at++] = SPACE
    at = this.#copy(id, Math.min(idEnd, id + MSGID_LIMIT), at)
    memory[at++] = SPACE
    at = beginAsReceived(memory, at, 'rfc5424')
    if (!isUsual) at = writeParam(memory, at, 'pri', start, version)
    if (versionEnd !== version + 1 || memory[version] !== 0x31) at = writeParam(memory, at, 'version', version, versionEnd)
    if (!isRightTime) at = writeParam(memory, at, 'timestamp', time, timeEnd)
    if (!this.hasHost && !this.#spare.isNil) at = writeParam(memory, at, 'hostname', host, hostEnd)
    if (appEnd - app > APP_NAME_LIMIT) at = writeParam(memory, at, 'appName', app, appEnd)
    if (procEnd - proc > PROCID_LIMIT) at = writeParam(memory, at, 'procId', proc, procEnd)
    if (idEnd - id > MSGID_LIMIT) at = writeParam(memory, at, 'msgId', id, idEnd)
    if (dataEnd === -1) at = writeText(memory, at, ' malformed="STRUCTURED-DATA"')
    memory[at++] = CLOSE
    // Theirs behind ours; a lone NILVALUE gives way, and what is no STRUCTURED-DATA is the beginning of MSG.
    if (dataEnd !== -1) return this.#copy(memory[data] === DASH ? dataEnd : data, end, at)
    memory[at++] = SPACE
    return this.#copy(data, end, at)
  }

  #copy(start: number, end: number, out: number): number {
    this.#memory.copyWithin(out, start, end)
    return out + end - start
  }
}

/** As fieldEnd(), but the field may also end the message. */
function lastFieldEnd(bytes: Uint8Array, at: number, end: number, limit: number): number {
  const last = Math.min(end, at + limit + 1)
  let index = at
  for (; index < last; index++) {
    const byte = bytes[index]!
    if (byte === SPACE) break
    if (byte < 0x21 || byte > 0x7e) return -1
  }
  return index === at || index - at > limit ? -1 : index
}
