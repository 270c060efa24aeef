// Messages in the bytes of a text file. Pure; the time is linear in the bytes.

import { CR, isDigit, LF, SPACE } from './ascii.ts'

const TAB = 0x09

/** Which lines begin a message: each; each that is not indented; each with a digit first (a time); each with this text first. */
export type MultiLine =
  | { readonly kind: 'none' }
  | { readonly kind: 'indented' }
  | { readonly kind: 'digit' }
  | { readonly kind: 'prefix'; readonly prefix: Uint8Array }

export interface LineRules {
  /** Longest message; the rest of a longer line is dropped, and a message of more lines ends with the last one that fits. */
  readonly limitBytes: number
  readonly multiLine: MultiLine
}

/** What is known of the bytes behind the end. */
export type Behind =
  /** More may come at any moment. */
  | 'growing'
  /** Nothing has come for a while: a whole line at the end is the last of its message. */
  | 'quiet'
  /** Nothing will ever come: the end ends the last line too. */
  | 'ended'

export type LineResult =
  | { readonly kind: 'message'; readonly from: number; readonly to: number; readonly next: number; readonly isCut: boolean }
  /** No message: an empty line, zeros that truncation left, or the rest of a line that was cut. */
  | { readonly kind: 'skip'; readonly next: number; readonly isCut: boolean }
  | { readonly kind: 'need-more' }

/**
 * The next message of `bytes[at..end]`. With more than `limitBytes` there, it never needs more.
 * @param isCut the byte at `at` continues a line that was cut; `isCut` of the result is the same for what follows
 */
export function nextMessage(bytes: Buffer, at: number, end: number, isCut: boolean, behind: Behind, rules: LineRules): LineResult {
  if (at >= end) return { kind: 'need-more' }
  const first = find(bytes, at, end)
  if (isCut) return { kind: 'skip', next: first === -1 ? end : first + 1, isCut: first === -1 }
  if (bytes[at] === 0) {
    let next = at + 1
    while (next < end && bytes[next] === 0) next++
    return { kind: 'skip', next, isCut: false }
  }
  if ((first === -1 ? end : first) - at > rules.limitBytes) {
    const to = characterEnd(bytes, at, at + rules.limitBytes)
    return { kind: 'message', from: at, to, next: to, isCut: true }
  }
  if (first === -1) return behind === 'ended' ? { kind: 'message', from: at, to: end, next: end, isCut: false } : { kind: 'need-more' }
  const text = textEnd(bytes, at, first)
  if (text === at) return { kind: 'skip', next: first + 1, isCut: false }
  if (rules.multiLine.kind === 'none') return { kind: 'message', from: at, to: text, next: first + 1, isCut: false }
  return gather(bytes, at, first, end, behind, rules)
}

/** Joins to the line at `at` those that continue it. */
function gather(bytes: Buffer, at: number, first: number, end: number, behind: Behind, rules: LineRules): LineResult {
  let last = first
  for (;;) {
    const whole: LineResult = { kind: 'message', from: at, to: textEnd(bytes, at, last), next: last + 1, isCut: false }
    const next = last + 1
    const begins = beginsMessage(bytes, next, end, rules.multiLine)
    if (begins === undefined) return behind === 'growing' ? { kind: 'need-more' } : whole
    if (begins) return whole
    const lf = find(bytes, next, end)
    if ((lf === -1 ? end : lf) - at > rules.limitBytes) return whole
    if (lf === -1) return behind === 'ended' ? { kind: 'message', from: at, to: end, next: end, isCut: false } : { kind: 'need-more' }
    last = lf
  }
}

/** Whether the line at `at` begins a message; undefined while too little of it is there. */
function beginsMessage(bytes: Buffer, at: number, end: number, rule: MultiLine): boolean | undefined {
  if (at >= end) return undefined
  switch (rule.kind) {
    case 'none':
      return true
    case 'indented':
      return bytes[at] !== SPACE && bytes[at] !== TAB
    case 'digit':
      return isDigit(bytes[at]!)
    case 'prefix': {
      for (let index = 0; index < rule.prefix.length; index++) {
        if (at + index >= end) return undefined
        if (bytes[at + index] !== rule.prefix[index]) return false
      }
      return true
    }
    default:
      return rule satisfies never
  }
}

function find(bytes: Buffer, at: number, end: number): number {
  const lf = bytes.subarray(at, end).indexOf(LF)
  return lf === -1 ? -1 : at + lf
}

function textEnd(bytes: Buffer, at: number, lf: number): number {
  return lf > at && bytes[lf - 1] === CR ? lf - 1 : lf
}

/** The end itself, or up to three bytes before it where it would divide a character of UTF-8. */
function characterEnd(bytes: Buffer, at: number, end: number): number {
  for (let back = 0; back < 4 && end - back > at; back++) if ((bytes[end - back]! & 0xc0) !== 0x80) return end - back
  return end
}
