// Records of /dev/kmsg. Pure. Format: Documentation/ABI/testing/dev-kmsg of the Linux kernel.

import { COMMA, isDigit, LF, SPACE } from './ascii.ts'

const SEMICOLON = 0x3b
const BACKSLASH = 0x5c
const LETTER_X = 0x78
/** CONSOLE_EXT_LOG_MAX and PRINTK_MESSAGE_MAX are less: a record that is longer is none. */
export const KMSG_RECORD_LIMIT_BYTES = 16_384

export interface KmsgRecord {
  /** Facility times 8 plus severity. */
  readonly pri: number
  readonly sequence: number
  /** Of the kernel's own clock, which starts near 0 and stands still while the machine sleeps. */
  readonly sinceBootUs: number
  /** `-` a whole line, `c` the first part of one, `+` another part. */
  readonly flag: string
  /** Unescaped. */
  readonly text: Buffer
  /** The lines behind the first, as SUBSYSTEM=pci. */
  readonly fields: ReadonlyMap<string, string>
}

export type KmsgResult = { readonly kind: 'record'; readonly record: KmsgRecord } | { readonly kind: 'malformed'; readonly reason: string }

const FIELDS_LIMIT = 32

/** Reads one record, as one read(2) gives it. */
export function readKmsg(bytes: Buffer): KmsgResult {
  if (bytes.length > KMSG_RECORD_LIMIT_BYTES) return { kind: 'malformed', reason: `record of ${bytes.length} bytes is over the limit` }
  const head = bytes.indexOf(SEMICOLON)
  if (head === -1 || head > 256) return { kind: 'malformed', reason: 'no semicolon behind the prefix' }
  const numbers: number[] = []
  let at = 0
  for (let field = 0; field < 3; field++) {
    let value = 0
    const start = at
    for (; at < head && isDigit(bytes[at]!); at++) value = value * 10 + bytes[at]! - 0x30
    if (at === start || bytes[at] !== COMMA || !Number.isSafeInteger(value))
      return { kind: 'malformed', reason: 'prefix is not three numbers' }
    numbers.push(value)
    at++
  }
  const flag = String.fromCharCode(bytes[at]!)
  if (at >= head) return { kind: 'malformed', reason: 'no flag' }
  const lf = bytes.indexOf(LF, head)
  const end = lf === -1 ? bytes.length : lf
  const fields = new Map<string, string>()
  for (let from = end + 1; from < bytes.length && fields.size < FIELDS_LIMIT; ) {
    const next = bytes.indexOf(LF, from)
    const to = next === -1 ? bytes.length : next
    const equals = bytes.indexOf(0x3d, from)
    if (bytes[from] === SPACE && equals !== -1 && equals < to)
      fields.set(bytes.toString('latin1', from + 1, equals), unescaped(bytes, equals + 1, to).toString('utf8'))
    from = to + 1
  }
  const [pri, sequence, sinceBootUs] = numbers as [number, number, number]
  // The kernel has 24 facilities too; what a program writes there may claim more.
  const known = pri <= 191 ? pri : 8 + (pri & 7)
  return { kind: 'record', record: { pri: known, sequence, sinceBootUs, flag, text: unescaped(bytes, head + 1, end), fields } }
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  if (byte >= 0x61 && byte <= 0x66) return byte - 0x57
  return byte >= 0x41 && byte <= 0x46 ? byte - 0x37 : -1
}

/** `\xNN` as the byte that it stands for; any other backslash stands for itself. */
function unescaped(bytes: Buffer, from: number, to: number): Buffer {
  const first = bytes.subarray(from, to).indexOf(BACKSLASH)
  if (first === -1) return Buffer.from(bytes.subarray(from, to))
  const out = Buffer.alloc(to - from)
  let length = 0
  for (let at = from; at < to; at++) {
    const high = bytes[at] === BACKSLASH && bytes[at + 1] === LETTER_X && at + 3 < to ? hexDigit(bytes[at + 2]) : -1
    const low = high === -1 ? -1 : hexDigit(bytes[at + 3])
    if (low === -1) out[length++] = bytes[at]!
    else {
      out[length++] = high * 16 + low
      at += 3
    }
  }
  return out.subarray(0, length)
}

/** `name[pid]: ` or `name: ` at the start of what a program wrote to the kernel's log. */
export function tagOf(text: string): { program: string; procid: string; rest: number } | undefined {
  const match = /^([\x21-\x39\x3b-\x5a\x5e-\x7e]{1,48})(?:\[(\d{1,10})\])?: ?/.exec(text)
  return match === null ? undefined : { program: match[1]!, procid: match[2] ?? '', rest: match[0].length }
}
