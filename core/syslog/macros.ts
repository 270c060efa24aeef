/* biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros are written so. */
// Macros in syslog-ng's spelling: `$HOST`, `${HOST}`, `${.SDATA.id.name}`, and `$$` for the sign itself. A template is read once to pieces.

import { nearest } from '../base/nearest.ts'
import { MACRO_NAMES, type MacroValue, macroValue, structuredValue } from './macro-values.ts'

export const TEMPLATE_LIMIT_CHARACTERS = 4096
const SDATA_PREFIX = '.SDATA.'

export type Piece = { readonly literal: string } | { readonly name: string; readonly value: MacroValue }

export interface Template {
  readonly text: string
  readonly pieces: readonly Piece[]
}

export interface TemplateFault {
  /** From 1, in UTF-16 code units. */
  readonly column: number
  readonly reason: string
}

export type TemplateResult = { kind: 'template'; template: Template } | { kind: 'malformed'; faults: readonly TemplateFault[] }

export function readTemplate(text: string): TemplateResult {
  const faults: TemplateFault[] = []
  const pieces: Piece[] = []
  let literal = ''
  if (text.length > TEMPLATE_LIMIT_CHARACTERS) faults.push({ column: 1, reason: `over ${TEMPLATE_LIMIT_CHARACTERS} characters` })
  for (let at = 0; at < text.length && faults.length === 0; ) {
    const sign = text.indexOf('$', at)
    literal += text.slice(at, sign === -1 ? text.length : sign)
    if (sign === -1) break
    at = sign + 1
    if (text[at] === '$') {
      literal += '$'
      at++
      continue
    }
    const match = text[at] === '{' ? /^\{([^}]*)\}/.exec(text.slice(at)) : /^(\w+)/.exec(text.slice(at))
    if (match === null) {
      const reason = text[at] === '{' ? 'a "${" without its "}"' : 'a "$" without a name; "$$" is the sign itself'
      faults.push({ column: sign + 1, reason })
      break
    }
    at += match[0].length
    const name = match[1]!
    const value = valueNamed(name)
    if (typeof value === 'string') {
      faults.push({ column: sign + 1, reason: value })
      continue
    }
    if (literal !== '') pieces.push({ literal })
    literal = ''
    pieces.push({ name, value })
  }
  if (literal !== '') pieces.push({ literal })
  return faults.length > 0 ? { kind: 'malformed', faults } : { kind: 'template', template: { text, pieces } }
}

/** The macro, or why there is none. */
function valueNamed(name: string): MacroValue | string {
  if (name.startsWith(SDATA_PREFIX)) {
    // An SD-ID may have dots in it (`name@32473.1.2`), a PARAM-NAME hardly ever.
    const rest = name.slice(SDATA_PREFIX.length)
    const dot = rest.lastIndexOf('.')
    if (dot < 1 || dot === rest.length - 1) return `\${${name}} lacks its parameter, \${.SDATA.id.name} is allowed`
    return structuredValue(rest.slice(0, dot), rest.slice(dot + 1))
  }
  const value = macroValue(name)
  if (value !== undefined) return value
  const meant = nearest(name, MACRO_NAMES)
  return `unknown macro ${name}${meant === undefined ? '' : ` (did you mean ${meant}?)`}, the known ones are ${MACRO_NAMES.join(', ')} and .SDATA.id.name`
}
