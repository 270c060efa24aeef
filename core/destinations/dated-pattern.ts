import type { Piece, Template } from '../syslog/macros.ts'
import { checkedPath } from '../syslog/path-value.ts'
import { GENERATION, type RotationPeriod } from './file-rotation.ts'

/** What pathValue makes of any text. */
const ANY_VALUE = '[A-Za-z0-9_@+=,:~%-][A-Za-z0-9_.@+=,:~%-]*'
const TWO = '\\d\\d'
type DateKind = 'year' | 'month' | 'day' | 'hour' | 'weekday' | 'unixtime'
/** What each macro of the date tells; within an hour all is one. */
const DATE_KINDS: Readonly<Record<string, DateKind>> = {
  YEAR: 'year',
  MONTH: 'month',
  DAY: 'day',
  HOUR: 'hour',
  MIN: 'hour',
  SEC: 'hour',
  WEEKDAY: 'weekday',
  UNIXTIME: 'unixtime',
}
/** What it can stand for in a path. */
const DATE_VALUES: Readonly<Record<DateKind, string>> = {
  year: '\\d{4}',
  month: TWO,
  day: TWO,
  hour: TWO,
  weekday: '(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat)',
  unixtime: '\\d{1,12}',
}

/** What a macro tells of the date; undefined for all others. */
export function dateValueOf(name: string): DateKind | undefined {
  const bare = name.startsWith('R_') ? name.slice(2) : name
  return Object.hasOwn(DATE_KINDS, bare) ? DATE_KINDS[bare] : undefined
}

export function hasDate({ pieces }: Template): boolean {
  return pieces.some((piece) => 'name' in piece && dateValueOf(piece.name) !== undefined)
}

/** Tells which files a path with macros can have made. */
export interface DatedPattern {
  readonly base: string
  /** How many components stand below the base. */
  readonly depth: number
  /** Which component is the first with a date in it. */
  readonly dateDepth: number
  /** @returns the values of the macros that are no date, which files of one series share; undefined when the path cannot have made this component */
  match(component: string, depth: number): string | undefined
  /** How long the path stays the same, at most. */
  readonly every: RotationPeriod
  /** The name that a closed file had before; undefined for one that has the name the path makes. */
  nameBefore(file: string): string | undefined
}

export function datedPattern(template: Template): DatedPattern {
  const { base, parts } = checkedPath(template)
  const texts = parts.map((part) => part.map(expressionOf).join(''))
  const last = texts.length - 1
  // The file itself, or one that was rotated.
  const expressions = texts.map(
    (text, at) => new RegExp(`^${text}${at === last ? `(?:\\.${GENERATION.source.slice(1, -1).replaceAll(/\((?!\?)/g, '(?:')})?` : ''}$`),
  )
  const plain = new RegExp(`^${texts[last]}$`)
  const kinds = new Set(parts.flat().map((piece) => ('name' in piece ? dateValueOf(piece.name) : undefined)))
  return {
    every: kinds.has('hour') || kinds.has('unixtime') ? 'hour' : kinds.has('day') || kinds.has('weekday') ? 'day' : 'month',
    nameBefore: (file) => {
      const name = file.replace(CLOSED, '')
      return name !== file && plain.test(name) ? name : undefined
    },
    base,
    depth: parts.length,
    dateDepth: parts.findIndex((part) => part.some((piece) => 'name' in piece && dateValueOf(piece.name) !== undefined)),
    match: (component, depth) => {
      const match = expressions[depth]!.exec(component)
      return match === null ? undefined : JSON.stringify(match.slice(1))
    },
  }
}

/** Behind the name of a file that was closed. */
const CLOSED = new RegExp(`\\.${GENERATION.source.slice(1)}`)

function expressionOf(piece: Piece): string {
  if ('literal' in piece) return piece.literal.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const kind = dateValueOf(piece.name)
  return kind === undefined ? `(${ANY_VALUE})` : DATE_VALUES[kind]
}
