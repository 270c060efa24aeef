import type { Piece, Template } from '../syslog/macros.ts'
import { macroPath } from '../syslog/path-value.ts'
import { GENERATION } from './file-rotation.ts'

/** What pathValue makes of any text. */
const ANY_VALUE = '[A-Za-z0-9_@+=,:~%-][A-Za-z0-9_.@+=,:~%-]*'
const TWO = '\\d\\d'
/** What each macro of the date can stand for in a path. */
const DATE_VALUES: Readonly<Record<string, string>> = {
  YEAR: '\\d{4}',
  MONTH: TWO,
  DAY: TWO,
  HOUR: TWO,
  MIN: TWO,
  SEC: TWO,
  WEEKDAY: '(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat)',
  UNIXTIME: '\\d{1,12}',
}

function dateValue(name: string): string | undefined {
  const bare = name.startsWith('R_') ? name.slice(2) : name
  return Object.hasOwn(DATE_VALUES, bare) ? DATE_VALUES[bare] : undefined
}

export function hasDate({ pieces }: Template): boolean {
  return pieces.some((piece) => 'name' in piece && dateValue(piece.name) !== undefined)
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
}

export function datedPattern(template: Template): DatedPattern {
  const result = macroPath(template)
  if (result.kind === 'malformed') throw new RangeError(`Cannot use the path ${template.text}: ${result.reason}`)
  const { base, parts } = result.path
  const texts = parts.map((part) => part.map(expressionOf).join(''))
  const last = texts.length - 1
  // The file itself, or one that was rotated.
  const expressions = texts.map(
    (text, at) => new RegExp(`^${text}${at === last ? `(?:\\.${GENERATION.source.slice(1, -1).replaceAll(/\((?!\?)/g, '(?:')})?` : ''}$`),
  )
  return {
    base,
    depth: parts.length,
    dateDepth: parts.findIndex((part) => part.some((piece) => 'name' in piece && dateValue(piece.name) !== undefined)),
    match: (component, depth) => {
      const match = expressions[depth]!.exec(component)
      return match === null ? undefined : JSON.stringify(match.slice(1))
    },
  }
}

function expressionOf(piece: Piece): string {
  if ('literal' in piece) return piece.literal.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return dateValue(piece.name) ?? `(${ANY_VALUE})`
}
