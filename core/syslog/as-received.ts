// The SD-ELEMENT that says how a message was written when it was not written in the usual way: `[asReceived@32473 form="cisco" head="123: *Mar ..."]`.

import { BACKSLASH, CLOSE, QUOTE, SPACE, writeText } from './ascii.ts'

/** As in local.ts, 32473 is the number that RFC 5612 sets aside for examples. */
export const AS_RECEIVED_SD_ID = 'asReceived@32473'

/** What a message was told to be; `docs/conformance.md` says how each is told. */
export const FORMS = ['rfc5424', 'rfc3164', 'rfc3339', 'epoch', 'device', 'key-value', 'bare', 'unknown'] as const
export type Form = (typeof FORMS)[number]

/** Writes `[asReceived@32473 form="FORM"`; parameters and `]` follow. @returns its end */
export function beginAsReceived(bytes: Uint8Array, out: number, form: Form): number {
  let at = writeText(bytes, out, `[${AS_RECEIVED_SD_ID} form="`)
  at = writeText(bytes, at, form)
  bytes[at] = QUOTE
  return at + 1
}

/** Writes ` NAME="VALUE"`, the value being `start..end` of the same memory, escaped by RFC 5424 section 6.3.3. @returns its end */
export function writeParam(bytes: Uint8Array, out: number, name: string, start: number, end: number): number {
  bytes[out] = SPACE
  let at = writeText(bytes, out + 1, name)
  at = writeText(bytes, at, '="')
  for (let index = start; index < end; index++) {
    const byte = bytes[index]!
    if (byte === QUOTE || byte === BACKSLASH || byte === CLOSE) bytes[at++] = BACKSLASH
    bytes[at++] = byte
  }
  bytes[at] = QUOTE
  return at + 1
}
