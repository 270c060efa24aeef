// RELP frames, as the specification has them and librelp 1.13 speaks them:
//   TXNR SP COMMAND SP DATALEN [SP DATA] LF

const SPACE = 0x20
const LF = 0x0a

/** TXNR and DATALEN have at most nine digits; after 999,999,999 comes 1. */
export const TXNR_LIMIT = 999_999_999
const DIGITS_LIMIT = 9
const COMMAND_LIMIT_BYTES = 32

/**
 * What librelp calls version 0 and the specification 1: a librelp client aborts when it is answered a higher number than 0.
 */
export const RELP_VERSION = '0'

export type RelpFrame =
  | {
      readonly kind: 'frame'
      readonly txnr: number
      readonly command: string
      /** The data stands at `bytes[start..end]`. */
      readonly start: number
      readonly end: number
      /** Where the next frame starts. */
      readonly next: number
    }
  /** The frame takes at least `bytes` bytes in all: never more than it does, or a small frame would wait for what is not coming. */
  | { readonly kind: 'need-more'; readonly bytes: number }
  | { readonly kind: 'malformed'; readonly reason: string }

function malformed(reason: string): RelpFrame {
  return { kind: 'malformed', reason }
}

/**
 * Finds the next frame in `bytes[from..to]`; copies nothing.
 * @param limitOf longest accepted DATALEN for a command, or undefined for a command that is not known; asked before any data is buffered
 */
export function nextRelpFrame(bytes: Buffer, from: number, to: number, limitOf: (command: string) => number | undefined): RelpFrame {
  let at = from
  let txnr = 0
  for (; ; at++) {
    if (at >= to) return at - from > DIGITS_LIMIT ? malformed('TXNR has over 9 digits') : { kind: 'need-more', bytes: to - from + 1 }
    const byte = bytes[at]!
    if (byte === SPACE && at > from) break
    if (byte < 0x30 || byte > 0x39) return malformed('TXNR is not a number')
    if (at - from >= DIGITS_LIMIT) return malformed('TXNR has over 9 digits')
    txnr = txnr * 10 + byte - 0x30
  }
  const commandStart = ++at
  for (; ; at++) {
    if (at - commandStart > COMMAND_LIMIT_BYTES) return malformed('command has over 32 letters')
    if (at >= to) return { kind: 'need-more', bytes: to - from + 1 }
    const byte = bytes[at]! | 0x20
    if (bytes[at] === SPACE && at > commandStart) break
    if (byte < 0x61 || byte > 0x7a) return malformed('command is not of letters')
  }
  const command = bytes.toString('latin1', commandStart, at)
  const lengthStart = ++at
  let length = 0
  for (; ; at++) {
    if (at >= to)
      return at - lengthStart > DIGITS_LIMIT ? malformed('DATALEN has over 9 digits') : { kind: 'need-more', bytes: to - from + 1 }
    const byte = bytes[at]!
    if ((byte === SPACE || byte === LF) && at > lengthStart) break
    if (byte < 0x30 || byte > 0x39) return malformed('DATALEN is not a number')
    if (at - lengthStart >= DIGITS_LIMIT) return malformed('DATALEN has over 9 digits')
    length = length * 10 + byte - 0x30
  }
  if (length === 0) {
    if (bytes[at] === LF) return { kind: 'frame', txnr, command, start: at, end: at, next: at + 1 }
    // librelp never sends it, the specification's grammar does not allow it, but a lenient reader costs nothing.
    if (at + 1 >= to) return { kind: 'need-more', bytes: at + 2 - from }
    return bytes[at + 1] === LF
      ? { kind: 'frame', txnr, command, start: at + 1, end: at + 1, next: at + 2 }
      : malformed('no LF behind the data')
  }
  if (bytes[at] === LF) return malformed('DATALEN without data')
  const limitBytes = limitOf(command)
  if (limitBytes === undefined) return malformed(`command "${command}" is not known`)
  if (length > limitBytes) return malformed(`DATALEN ${length} of "${command}" is over ${limitBytes}`)
  const start = at + 1
  const end = start + length
  if (end >= to) return { kind: 'need-more', bytes: end + 1 - from }
  if (bytes[end] !== LF) return malformed('no LF behind the data')
  return { kind: 'frame', txnr, command, start, end, next: end + 1 }
}

/** A whole frame; for frames whose data is large, `relpHeader` and the data apart. */
export function relpFrame(txnr: number, command: string, data: string): Buffer {
  const bytes = Buffer.from(data, 'utf8')
  if (bytes.length === 0) return Buffer.from(`${txnr} ${command} 0\n`, 'latin1')
  return Buffer.concat([Buffer.from(relpHeader(txnr, command, bytes.length), 'latin1'), bytes, Buffer.from('\n')])
}

/** All of a frame that stands before its data. */
export function relpHeader(txnr: number, command: string, dataBytes: number): string {
  return `${txnr} ${command} ${dataBytes} `
}

export function nextTxnr(txnr: number): number {
  return txnr >= TXNR_LIMIT ? 1 : txnr + 1
}

export interface RelpOffers {
  readonly version: string | undefined
  readonly software: string | undefined
  readonly commands: readonly string[]
  /** Ours: name and value of any other offer, as a peer of our own kind sends them. */
  readonly other: ReadonlyMap<string, string>
}

const OFFERS_LIMIT = 16

/** Reads the offers of `open` and of its response (behind the status line). */
export function readOffers(text: string): RelpOffers {
  let version: string | undefined
  let software: string | undefined
  let commands: string[] = []
  const other = new Map<string, string>()
  // One line, one offer; the first has no leading LF on librelp's wire and one in the specification.
  for (const line of text.split('\n', OFFERS_LIMIT)) {
    const equals = line.indexOf('=')
    const name = equals === -1 ? line : line.slice(0, equals)
    const value = equals === -1 ? '' : line.slice(equals + 1)
    if (name === 'relp_version') version = value
    else if (name === 'relp_software') software = value
    else if (name === 'commands') commands = value.split(',', 64)
    else if (name !== '') other.set(name, value)
  }
  return { version, software, commands, other }
}

export function writeOffers(commands: readonly string[], other: ReadonlyMap<string, string>): string {
  let text = `relp_version=${RELP_VERSION}\nrelp_software=loghop,0.1,\ncommands=${commands.join(',')}`
  for (const [name, value] of other) text += `\n${name}=${value}`
  return text
}

export interface RelpResponse {
  readonly code: number
  readonly text: string
  /** What stands behind the first line, such as offers. */
  readonly rest: string
}

/** Reads the data of a `rsp`; the response to `close` is empty and means success. */
export function readResponse(data: string): RelpResponse | undefined {
  if (data === '') return { code: 200, text: '', rest: '' }
  const match = /^(\d{3})(?: ([^\n]*))?(?:\n([\s\S]*))?$/.exec(data)
  return match === null ? undefined : { code: Number(match[1]), text: match[2] ?? '', rest: match[3] ?? '' }
}

/** Offered by a Loghop relay that reads the addresses of hops (core/spool/FORMAT.md); to any other, batches go without them. */
export const OFFER_HOPS = { name: 'loghop_hops', value: 'addresses' } as const

/** What a Loghop relay says with `serverclose` when all is well, and the peer should connect anew at once. */
export const COME_AGAIN = 'again'
