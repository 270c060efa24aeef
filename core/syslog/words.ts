// The words behind the time of an RFC 3164 packet: HOSTNAME and TAG, told from text that merely begins like one.

import { CLOSE, COLON, isDigit, OPEN, PERCENT, SPACE } from './ascii.ts'

const HOSTNAME_LIMIT = 255
const APP_NAME_LIMIT = 48
const PROCID_LIMIT = 128

const IN_HOST = new Uint8Array(256)
const IN_ADDRESS = new Uint8Array(256)
const IN_TAG = new Uint8Array(256)
const IS_LETTER = new Uint8Array(256)
// syslog-ng writes chains as `relay/host` and `source@host`.
for (const byte of Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/@%:~')) IN_HOST[byte] = 1
for (const byte of Buffer.from('ABCDEFabcdef0123456789.:')) IN_ADDRESS[byte] = 1
for (let byte = 0x21; byte < 0x7f; byte++) IN_TAG[byte] = 1
// Where these are in a word, it belongs to JSON, XML, CEF, key=value or prose.
for (const byte of Buffer.from('"\'<>={}[,;|')) IN_TAG[byte] = 0
for (const byte of Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')) IS_LETTER[byte] = 1

/** End of the host name or address at `at`, whatever stands behind it; `at` itself when there is none. */
export function hostWordEnd(bytes: Uint8Array, at: number, end: number): number {
  const limit = Math.min(end, at + HOSTNAME_LIMIT + 1)
  let index = at
  let colons = 0
  for (; index < limit && IN_HOST[bytes[index]!] === 1; index++) if (bytes[index] === COLON) colons++
  if (index === limit && index - at > HOSTNAME_LIMIT) return at
  const first = bytes[at]!
  const isNamed = IS_LETTER[first] === 1 || isDigit(first) || first === 0x5f || (first === COLON && colons > 1)
  if (index === at || !isNamed) return at
  return colons === 0 || isAddress(bytes, at, index, colons) ? index : at
}

/** An IPv6 address, with or without zone, or an IPv4 address with port. */
function isAddress(bytes: Uint8Array, at: number, end: number, colons: number): boolean {
  if (bytes[end - 1] === COLON && (colons < 2 || bytes[end - 2] !== COLON)) return false
  let index = at
  let dots = 0
  for (; index < end && IN_ADDRESS[bytes[index]!] === 1; index++) if (bytes[index] === 0x2e) dots++
  if (index < end && bytes[index] !== PERCENT && bytes[index] !== 0x2f) return false
  return colons > 1 || dots === 3
}

/** Finds TAG (RFC 3164 section 4.1.3): `name:`, `name[pid]:` or `name[pid] `, with room for it in APP-NAME and PROCID. Says where its parts are. */
export class TagReader {
  nameEnd = 0
  procStart = 0
  procEnd = 0
  /** Whether it is written as usual, so that it can be told from its parts: `name: ` or `name[pid]: `. */
  isUsual = true

  /** @returns where the text begins behind the tag at `at`, or -1 when there is none */
  read(bytes: Uint8Array, at: number, end: number): number {
    const limit = Math.min(end, at + APP_NAME_LIMIT + 1)
    let index = at
    let letters = 0
    for (; index < limit; index++) {
      const byte = bytes[index]!
      if (IN_TAG[byte] !== 1) break
      if (byte === COLON && (index + 1 === end || bytes[index + 1] === SPACE)) break
      letters += IS_LETTER[byte]!
    }
    if (index === limit || letters === 0) return -1
    this.nameEnd = index
    this.procStart = index
    this.procEnd = index
    if (bytes[index] === COLON) {
      this.isUsual = index + 1 < end
      return Math.min(index + 2, end)
    }
    if (bytes[index] !== OPEN) return -1
    const procLimit = Math.min(end, index + 1 + PROCID_LIMIT + 1)
    let close = index + 1
    while (close < procLimit && bytes[close] !== CLOSE && bytes[close] !== OPEN && bytes[close]! > SPACE && bytes[close]! < 0x7f) close++
    if (close === index + 1 || close >= procLimit || bytes[close] !== CLOSE) return -1
    this.procStart = index + 1
    this.procEnd = close
    let text = close + 1
    const isEnded = text < end && bytes[text] === COLON
    if (isEnded) text++
    else if (text < end && bytes[text] !== SPACE) return -1
    this.isUsual = isEnded && text < end && bytes[text] === SPACE
    return text < end && bytes[text] === SPACE ? text + 1 : text
  }
}

/** `%FACILITY-SEVERITY-MNEMONIC` of Cisco and those who took it over. */
export function isMnemonic(bytes: Uint8Array, at: number, end: number): boolean {
  if (at >= end || bytes[at] !== PERCENT) return false
  const limit = Math.min(end, at + APP_NAME_LIMIT)
  for (let index = at + 2; index + 2 < limit && bytes[index]! > SPACE && bytes[index] !== COLON; index++)
    if (bytes[index] === 0x2d && isDigit(bytes[index + 1]!) && bytes[index + 2] === 0x2d) return true
  return false
}
