// How a message becomes a line, by name: rfc3339, bsd, rfc5424, json, or a template of macros. Each line ends in LF and has no other.

import { nearest } from '../base/nearest.ts'
import { isClaim } from './claim.ts'
import { ESCAPE_GROWTH, escapeText } from './escape.ts'
import { jsonLine } from './json-line.ts'
import { MacroRange, MacroReader, type MacroSource } from './macro-values.ts'
import { type Piece, readTemplate, type Template } from './macros.ts'
import type { MessageContext, MessageFields } from './message-fields.ts'
import type { MinutesAt } from './moment.ts'

export const FORMATS = ['rfc3339', 'bsd', 'rfc5424', 'json'] as const
export type FormatName = (typeof FORMATS)[number]

const LF = 0x0a
const DASH = 0x2d
const SPACE = 0x20
const SLASH = 0x2f

/** Writes lines of one format. */
export interface LineFormat {
  readonly name: string
  /**
   * Writes the line of the message, begun by its caller, to `target` at `out`.
   * @returns the end of the line, or -1 when it does not fit; then nothing before `out` has changed
   */
  write(message: MessageFields, context: MessageContext, target: Uint8Array, out: number): number
}

export type FormatResult = { kind: 'format'; format: LineFormat } | { kind: 'malformed'; reason: string }

/**
 * The format of this name, or the template that it is.
 * @param text a word is a name, anything with a macro a template
 * @param minutesAt the zone of times that are not shown as the message has them
 */
export function lineFormat(text: string, minutesAt: MinutesAt): FormatResult {
  switch (text as FormatName) {
    case 'rfc3339':
      return { kind: 'format', format: { name: text, write: rfc3339 } }
    case 'rfc5424':
      return { kind: 'format', format: { name: text, write: rfc5424 } }
    case 'bsd':
      return { kind: 'format', format: bsdFormat(minutesAt) }
    case 'json': {
      const macros = new MacroReader(minutesAt)
      return {
        kind: 'format',
        format: { name: text, write: (message, context, target, out) => jsonLine(macros.read(message, context), target, out) },
      }
    }
    default: {
      if (!text.includes('$')) {
        const meant = nearest(text, FORMATS)
        const hint = meant === undefined ? '' : ` (did you mean ${meant}?)`
        return { kind: 'malformed', reason: `neither a name${hint} nor a template with a macro in it` }
      }
      const result = readTemplate(text)
      if (result.kind === 'malformed')
        return { kind: 'malformed', reason: result.faults.map(({ column, reason }) => `at character ${column}: ${reason}`).join('; ') }
      return { kind: 'format', format: templateFormat(result.template, minutesAt) }
    }
  }
}

/** Room that a part of `length` bytes may take. */
function room(length: number): number {
  return length * ESCAPE_GROWTH
}

function copy(message: MessageFields, start: number, end: number, target: Uint8Array, out: number): number {
  const { bytes } = message
  let to = out
  for (let at = start; at < end; at++) target[to++] = bytes[at]!
  return to
}

function isNil(message: MessageFields, start: number, end: number): boolean {
  return end - start === 1 && message.bytes[start] === DASH
}

/** Text of ours, which is UTF-8 without control characters. */
function text(target: Uint8Array, out: number, value: string): number {
  let to = out
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index)
    if (code > 0x7f) return out + Buffer.from(target.buffer as ArrayBuffer, target.byteOffset, target.length).write(value, out)
    target[to++] = code
  }
  return to
}

/** `2026-11-23T02:50:00.123456+00:00 web01 sshd[1234]: text`, as TextLineFormatter writes it. */
const rfc3339: LineFormat['write'] = (message, context, target, out) => {
  message.locate()
  const { bytes, start, end } = message
  if (out + room(end - start) + context.host.length * 3 + 16 > target.length) return -1
  let to = message.isParsed ? copy(message, message.timeStart, message.timeEnd, target, out) : text(target, out, '-')
  to = text(target, to, ` ${context.host}`)
  if (message.isParsed && isClaim(bytes, message.hostStart, message.hostEnd, Buffer.from(context.host, 'latin1'), 0)) {
    target[to++] = SLASH
    to = copy(message, message.hostStart, message.hostEnd, target, to)
  }
  target[to++] = SPACE
  if (!message.isParsed) return ended(target, escapeText(bytes, start, end, target, to, true))
  to = tag(message, target, to)
  return ended(target, escapeText(bytes, message.textStart, end, target, to, true))
}

/** `app[pid]: `. */
function tag(message: MessageFields, target: Uint8Array, out: number): number {
  let to = copy(message, message.appStart, message.appEnd, target, out)
  if (!isNil(message, message.procStart, message.procEnd)) {
    target[to++] = 0x5b
    to = copy(message, message.procStart, message.procEnd, target, to)
    target[to++] = 0x5d
  }
  target[to] = 0x3a
  target[to + 1] = SPACE
  return to + 2
}

function ended(target: Uint8Array, out: number): number {
  target[out] = LF
  return out + 1
}

/** The message as it came, with control characters and the like escaped, which RFC 5424 leaves to the receiver. */
const rfc5424: LineFormat['write'] = ({ bytes, start, end }, _, target, out) => {
  if (out + room(end - start) + 1 > target.length) return -1
  return ended(target, escapeText(bytes, start, end, target, out, true))
}

/**
 * `Nov 23 02:50:00 web01 sshd[1234]: text`, as syslogd always wrote it: the host without its domain (RFC 3164 section 4.1.2), the time on the wall clock of
 * the zone, and a number sign as it is.
 */
function bsdFormat(minutesAt: MinutesAt): LineFormat {
  const macros = new MacroReader(minutesAt)
  let lastHost: string | undefined
  let head = ''
  let lastSecond = Number.NaN
  return {
    name: 'bsd',
    write: (message, context, target, out) => {
      const { sent } = macros.read(message, context)
      if (out + room(message.end - message.start) + context.host.length * 3 + 32 > target.length) return -1
      if (sent.second !== lastSecond || context.host !== lastHost) {
        lastSecond = sent.second
        lastHost = context.host
        head = `${sent.bsd()} ${shortHost(context.host)} `
      }
      let to = text(target, out, head)
      if (message.isParsed && !isNil(message, message.appStart, message.appEnd)) to = tag(message, target, to)
      return ended(target, escapeText(message.bytes, message.plainTextStart(), message.end, target, to, false))
    },
  }
}

function shortHost(host: string): string {
  return /^[\d.]+$/.test(host) || host.includes(':') ? host : host.split('.', 1)[0]!
}

function templateFormat(template: Template, minutesAt: MinutesAt): LineFormat {
  const macros = new MacroReader(minutesAt)
  const range = new MacroRange()
  const pieces = template.pieces.map((piece) => ('literal' in piece ? Buffer.from(piece.literal) : piece))
  return {
    name: template.text,
    write: (message, context, target, out) => {
      const source = macros.read(message, context)
      let to = out
      for (const piece of pieces) {
        to = piece instanceof Uint8Array ? copyLiteral(piece, target, to) : writePiece(piece, source, range, target, to)
        if (to === -1) return -1
      }
      return to < target.length ? ended(target, to) : -1
    },
  }
}

function copyLiteral(literal: Uint8Array, target: Uint8Array, out: number): number {
  if (out + literal.length > target.length) return -1
  target.set(literal, out)
  return out + literal.length
}

function writePiece(piece: Piece, source: MacroSource, range: MacroRange, target: Uint8Array, out: number): number {
  if ('literal' in piece) return out
  const value = piece.value(source, range)
  if (value === undefined) {
    if (out + room(range.end - range.start) > target.length) return -1
    return escapeText(source.message.bytes, range.start, range.end, target, out, true)
  }
  const bytes = Buffer.from(value)
  if (out + room(bytes.length) > target.length) return -1
  return escapeText(bytes, 0, bytes.length, target, out, true)
}
