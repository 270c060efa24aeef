// Regular expressions whose time grows with the text alone, whatever the pattern: RE2's rules, so no back references and no looking around.
// docs/decisions/0010-linear-time-regex.md says why this engine. The only file that imports re2js.

import { RE2JS } from 're2js'

export const REGEX_LIMIT_CHARACTERS = 1024
const FLAGS: Readonly<Record<string, number>> = { i: RE2JS.CASE_INSENSITIVE, m: RE2JS.MULTILINE, s: RE2JS.DOTALL }

export interface LinearRegex {
  /** As written, `/.../i`. */
  readonly text: string
  /** Whether it is anywhere in the text. */
  test(text: string): boolean
}

export type RegexResult = { kind: 'regex'; regex: LinearRegex } | { kind: 'malformed'; reason: string }

/** Reads `/pattern/flags`, flags being any of i (case), m (`^` and `$` at lines) and s (`.` takes a line feed). */
export function readRegex(text: string): RegexResult {
  const match = /^\/(.*)\/([a-z]*)$/s.exec(text)
  if (match === null) return { kind: 'malformed', reason: 'not between slashes' }
  const unknown = [...match[2]!].find((flag) => FLAGS[flag] === undefined)
  if (unknown !== undefined) return { kind: 'malformed', reason: `unknown flag ${unknown}, the known ones are i, m and s` }
  return compileRegex(match[1]!, match[2]!, text)
}

/** @param flags of those of readRegex */
export function compileRegex(pattern: string, flags: string, text = `/${pattern}/${flags}`): RegexResult {
  if (pattern === '') return { kind: 'malformed', reason: 'empty' }
  if (pattern.length > REGEX_LIMIT_CHARACTERS) return { kind: 'malformed', reason: `over ${REGEX_LIMIT_CHARACTERS} characters` }
  try {
    const compiled = RE2JS.compile(
      pattern,
      [...new Set(flags)].reduce((sum, flag) => sum | FLAGS[flag]!, 0),
    )
    return { kind: 'regex', regex: { text, test: (input) => compiled.test(input) } }
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).replace(/^error parsing regexp: /, '')
    return { kind: 'malformed', reason }
  }
}

/** POSIX expressions as syslog.conf has them, in RE2's words. @param isBasic of regcomp(3) without REG_EXTENDED */
export function posixToRe2(pattern: string, isBasic: boolean): string {
  let out = ''
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!
    if (character === '[') {
      const end = bracketEnd(pattern, at)
      // In a POSIX bracket a backslash is itself.
      out += pattern.slice(at, end).replaceAll('\\', '\\\\')
      at = end - 1
    } else if (character === '\\' && at + 1 < pattern.length) {
      const next = pattern[++at]!
      out += isBasic && '(){}|+?'.includes(next) ? next : `\\${next}`
    } else if (isBasic && '(){}|+?'.includes(character)) out += `\\${character}`
    else if (isBasic && character === '*' && (out === '' || out === '^' || /(?<!\\)\($/.test(out))) out += '\\*'
    else out += character
  }
  return out
}

function bracketEnd(pattern: string, at: number): number {
  let index = at + 1
  if (pattern[index] === '^') index++
  // A bracket that comes first is one of the set.
  if (pattern[index] === ']') index++
  while (index < pattern.length && pattern[index] !== ']') {
    const named = /^\[([:.=])[^\]]*?\1\]/.exec(pattern.slice(index))
    index += named === null ? 1 : named[0].length
  }
  return Math.min(index + 1, pattern.length)
}
