// Values of a message within a path: whatever they hold, each is one component's part, and no two components that differ become the same.

import { createHash } from 'node:crypto'
import { MacroRange, type MacroSource } from './macro-values.ts'
import { type Piece, readTemplate, type Template } from './macros.ts'

/** Of every file system that we know. */
export const COMPONENT_LIMIT_BYTES = 255
const HASH_DIGITS = 16
const PLAIN = /^[A-Za-z0-9_@+=,:~-][A-Za-z0-9_.@+=,:~-]*$/

/**
 * A value within a component: letters, digits and a few signs as they are, every other byte as `%` and two hexadecimal digits, also a dot at its begin, so
 * that it is neither a step upwards nor hidden. Nothing at all is `-`.
 */
export function pathValue(value: Uint8Array | string): string {
  const text = typeof value === 'string' ? value : Buffer.from(value).toString('latin1')
  if (text === '') return '-'
  if (PLAIN.test(text)) return text
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  let out = ''
  for (const [at, byte] of bytes.entries()) {
    const character = String.fromCharCode(byte)
    out += PLAIN.test(character) || (character === '.' && at > 0) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return out
}

/** A component that is not too long: what is over the limit ends in a hash of the whole. */
export function boundedComponent(component: string): string {
  if (Buffer.byteLength(component) <= COMPONENT_LIMIT_BYTES) return component
  const hash = createHash('sha256').update(component).digest('hex').slice(0, HASH_DIGITS)
  const room = COMPONENT_LIMIT_BYTES - HASH_DIGITS - 1
  // A literal may be UTF-8, which must not be cut within a character.
  let kept = ''
  let length = 0
  for (const character of component) {
    length += Buffer.byteLength(character)
    if (length > room) break
    kept += character
  }
  return `${kept}~${hash}`
}

/** The same path without a slash or a `.` too much, so that one file has one name. @param text of a path, in which macros may be */
export function tidyPath(text: string): string {
  return text.replace(/(\$\{[^}]*\})|\/(?:\.?\/)+/g, (_, macro: string | undefined) => macro ?? '/')
}

export type PathTemplateResult = { kind: 'path'; path: MacroPath } | { kind: 'malformed'; reason: string }

export interface MacroPath {
  /** The directory that is named in full. */
  readonly base: string
  /** What the components below it are made of; the last is the file. */
  readonly parts: ReadonlyArray<readonly Piece[]>
  /** The components below it for one message; the last is the file. */
  components(source: MacroSource): string[]
}

/** Splits the template of a path at its slashes; only the literal text of it can have any. */
export function macroPath(template: Template): PathTemplateResult {
  const { text, pieces } = template
  if (!text.startsWith('/')) return { kind: 'malformed', reason: 'not absolute' }
  if (text.includes('\0')) return { kind: 'malformed', reason: 'a NUL byte in it' }
  if (text.endsWith('/')) return { kind: 'malformed', reason: 'a directory, not a file' }
  const parts: Piece[][] = [[]]
  for (const piece of pieces) {
    if (!('literal' in piece)) {
      parts.at(-1)!.push(piece)
      continue
    }
    for (const [at, literal] of piece.literal.split('/').entries()) {
      if (at > 0) parts.push([])
      if (literal !== '') parts.at(-1)!.push({ literal })
    }
  }
  const named = parts.filter((part) => part.length > 0 && !(part.length === 1 && 'literal' in part[0]! && part[0].literal === '.'))
  if (named.some((part) => part.every((piece) => 'literal' in piece && piece.literal === '..')))
    return { kind: 'malformed', reason: 'a step upwards, ".."' }
  const firstMacro = named.findIndex((part) => part.some((piece) => 'value' in piece))
  const fixed = firstMacro === -1 ? named.length - 1 : firstMacro
  const base = `/${named
    .slice(0, fixed)
    .map((part) => part.map((piece) => ('literal' in piece ? piece.literal : '')).join(''))
    .join('/')}`
  const below = named.slice(fixed)
  const range = new MacroRange()
  return { kind: 'path', path: { base, parts: below, components: (source) => below.map((part) => componentOf(part, source, range)) } }
}

/** The template of a path that the configuration has checked. @throws {RangeError} it has not */
export function checkedTemplate(text: string): Template {
  const result = readTemplate(text)
  if (result.kind === 'malformed') throw new RangeError(`Cannot use the path ${text}: ${result.faults[0]!.reason}`)
  return result.template
}

/** As macroPath, of such a template. @throws {RangeError} it has not */
export function checkedPath(template: Template): MacroPath {
  const result = macroPath(template)
  if (result.kind === 'malformed') throw new RangeError(`Cannot use the path ${template.text}: ${result.reason}`)
  return result.path
}

function componentOf(part: readonly Piece[], source: MacroSource, range: MacroRange): string {
  let component = ''
  for (const piece of part) {
    if ('literal' in piece) component += piece.literal
    else component += pathValue(piece.value(source, range) ?? source.message.bytes.subarray(range.start, range.end))
  }
  return boundedComponent(component)
}
