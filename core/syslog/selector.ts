// The selectors of syslog.conf: `*.notice;kern.debug;mail.none`. A text is compiled once to a table of bits, and a message costs one look-up by its PRI.

import { nearest } from '../base/nearest.ts'
import { FACILITIES } from './priority.ts'
import {
  ALL_LEVELS,
  ANY_LEVEL,
  andAbove,
  type Dialect,
  FACILITY_WORDS,
  facilityOf,
  LEVEL_WORDS,
  levelOf,
  MARK,
  NO_LEVEL,
} from './selector-names.ts'

export const SELECTOR_LIMIT_CHARACTERS = 4096

export interface SelectorFault {
  /** From 1, in UTF-16 code units. */
  readonly column: number
  readonly found: string
  readonly allowed: string
  /** The known word that was probably meant. */
  readonly meant?: string | undefined
}

export interface Selector {
  readonly text: string
  readonly dialect: Dialect
  /** For each of the 24 facilities a bit per severity, emerg the lowest. */
  readonly bits: Uint8Array
  /** The same for the marks of the daemon itself. */
  readonly markBits: number
  /** What is probably not what was meant, though it is allowed. */
  readonly remarks: readonly string[]
}

export type SelectorResult = { kind: 'selector'; selector: Selector } | { kind: 'malformed'; faults: readonly SelectorFault[] }

/**
 * Compiles a selector. In Linux's dialect a later selector adds to what the earlier ones chose, or with `!` takes from it; in those of the BSDs it
 * replaces what they chose of its facilities.
 */
export function compileSelector(text: string, dialect: Dialect = 'linux'): SelectorResult {
  const faults: SelectorFault[] = []
  if (text.length > SELECTOR_LIMIT_CHARACTERS) {
    faults.push({ column: 1, found: `${text.length} characters`, allowed: `at most ${SELECTOR_LIMIT_CHARACTERS}` })
    return { kind: 'malformed', faults }
  }
  const bits = new Uint8Array(MARK + 1)
  const remarks: string[] = []
  for (const part of partsOf(text, dialect, faults)) {
    const { level, flags } = readLevel(part.level, part.levelColumn, dialect, faults)
    const codes = readFacilities(part.facilities, part.facilitiesColumn, dialect, faults)
    if (level === undefined) continue
    const before = bits.slice()
    for (const code of codes) bits[code] = dialect === 'linux' ? changed(bits[code]!, level, flags) : replaced(level, flags)
    const isSame = before.every((value, code) => value === bits[code])
    if (isSame && codes.length > 0 && dialect === 'linux' && before.some((value) => value !== 0)) {
      const written = `${part.facilities}.${part.level}`
      remarks.push(`${written} changes nothing: here a later selector adds to the earlier ones, it does not replace them as on the BSDs`)
    }
  }
  if (faults.length > 0) return { kind: 'malformed', faults }
  return { kind: 'selector', selector: { text, dialect, bits: bits.slice(0, MARK), markBits: bits[MARK]!, remarks } }
}

/** Whether the table chooses messages of this PRI, 0 to 191. Hot. */
export function selectsPri(bits: Uint8Array, pri: number): boolean {
  return ((bits[pri >>> 3]! >>> (pri & 7)) & 1) === 1
}

/** A fault as one sentence's end: `column 3: found "mial", allowed kern, ...; did you mean "mail"?` */
export function faultText(fault: SelectorFault): string {
  const meant = fault.meant === undefined ? '' : `; did you mean "${fault.meant}"?`
  return `column ${fault.column}: found ${fault.found}, allowed ${fault.allowed}${meant}`
}

interface Part {
  readonly facilities: string
  readonly facilitiesColumn: number
  readonly level: string
  readonly levelColumn: number
}

/** `facilities.level` each. A level ends at a comma too, so that `mail.crit,news.err` is two selectors, as every syslogd reads it. */
function partsOf(text: string, dialect: Dialect, faults: SelectorFault[]): Part[] {
  const parts: Part[] = []
  let at = 0
  while (at < text.length || at === 0) {
    while (text[at] === ' ') at++
    const end = /[;.]/.exec(text.slice(at))
    const stop = end === null ? text.length : at + end.index
    const facilities = text.slice(at, stop).trimEnd()
    if (text[stop] !== '.') {
      const isTrailing = facilities === '' && stop >= text.length && parts.length > 0 && dialect !== 'linux'
      if (!isTrailing) {
        const found = facilities === '' ? 'nothing' : JSON.stringify(facilities)
        faults.push({ column: at + 1, found, allowed: 'facility.level, such as mail.info or *.err' })
      }
      at = stop + 1
      if (stop >= text.length) break
      continue
    }
    const level = /^[^,;\s]*/.exec(text.slice(stop + 1))![0]
    parts.push({ facilities, facilitiesColumn: at + 1, level, levelColumn: stop + 2 })
    at = stop + 1 + level.length
    while (text[at] === ' ') at++
    if (at >= text.length) break
    if (text[at] !== ';' && text[at] !== ',') {
      faults.push({ column: at + 1, found: JSON.stringify(text.slice(at, at + 20)), allowed: '";" and the next selector' })
      break
    }
    at++
    if (at === text.length && dialect === 'linux')
      faults.push({ column: at, found: `nothing behind "${text[at - 1]}"`, allowed: 'the next selector' })
  }
  return parts
}

function readFacilities(text: string, column: number, dialect: Dialect, faults: SelectorFault[]): number[] {
  const codes: number[] = []
  let at = 0
  for (const word of text.split(',')) {
    const name = word.trim()
    const place = column + at + (word.length - word.trimStart().length)
    at += word.length + 1
    if (name === '*') {
      // rsyslog and sysklogd count the marks among all facilities; the BSDs do not.
      const limit = dialect === 'linux' ? MARK + 1 : MARK
      for (let code = 0; code < limit; code++) codes.push(code)
      continue
    }
    // `mail,.info`, as rsyslog takes it.
    if (name === '' && codes.length > 0) continue
    const code = facilityOf(name, dialect)
    if (code === undefined) {
      const numbers = dialect === 'linux' ? '0 to 23' : '0 to 184 by eights, as in <syslog.h>'
      const allowed = `${FACILITY_WORDS.join(', ')}, * or ${numbers}`
      faults.push({ column: place, found: name === '' ? 'nothing' : JSON.stringify(name), allowed, meant: meantBy(name, FACILITY_WORDS) })
    } else codes.push(code)
  }
  return codes
}

function meantBy(word: string, known: readonly string[]): string | undefined {
  return word.length < 2 ? undefined : nearest(word, known)
}

/** Which levels beside the named one, and whether the whole is turned round. */
interface Flags {
  readonly isInverted: boolean
  /** Less severe, this one, more severe; none of them where no sign was written. */
  readonly less: boolean
  readonly equal: boolean
  readonly more: boolean
}

const FLAGS: Readonly<Record<Dialect, RegExp>> = { linux: /^!?=?/, freebsd: /^!?[<=>]*/, openbsd: /^/ }
const FLAGS_ALLOWED: Readonly<Record<Dialect, string>> = {
  linux: 'optionally "!", "=" or "!=" and a level',
  freebsd: 'optionally "!" and any of "<", "=", ">", and a level',
  openbsd: 'a level without a sign',
}

function readLevel(text: string, column: number, dialect: Dialect, faults: SelectorFault[]): { level: number | undefined; flags: Flags } {
  const signs = FLAGS[dialect].exec(text)![0]
  const word = text.slice(signs.length)
  const flags = { isInverted: signs[0] === '!', less: signs.includes('<'), equal: signs.includes('='), more: signs.includes('>') }
  const level = levelOf(word)
  if (level !== undefined) return { level, flags }
  const sign = /^[!<=>]+/.exec(word)?.[0]
  if (sign !== undefined) {
    const hint = dialect === 'freebsd' ? '' : '; comparisons are of the freebsd dialect'
    faults.push({ column: column + signs.length, found: JSON.stringify(sign), allowed: FLAGS_ALLOWED[dialect] + hint })
  } else {
    const allowed = `${LEVEL_WORDS.join(', ')} or 0 to 7`
    const found = word === '' ? 'nothing' : JSON.stringify(word)
    faults.push({ column: column + signs.length, found, allowed, meant: meantBy(word, LEVEL_WORDS) })
  }
  return { level: undefined, flags }
}

/** sysklogd's way, and rsyslog's. */
function changed(bits: number, level: number, { isInverted, equal }: Flags): number {
  if (level === NO_LEVEL) return isInverted ? ALL_LEVELS : 0
  if (level === ANY_LEVEL) return isInverted ? 0 : ALL_LEVELS
  const chosen = equal ? 1 << level : andAbove(level)
  return isInverted ? bits & ~chosen : bits | chosen
}

/** The BSDs' way. `>` is more severe, which is the lower number. */
function replaced(level: number, { isInverted, less, equal, more }: Flags): number {
  if (level === NO_LEVEL) return 0
  let chosen = ALL_LEVELS
  if (level !== ANY_LEVEL) {
    const isPlain = !less && !equal && !more
    chosen = isPlain ? andAbove(level) : 0
    if (equal) chosen |= 1 << level
    if (more) chosen |= andAbove(level) & ~(1 << level)
    if (less) chosen |= ALL_LEVELS & ~andAbove(level)
  }
  return isInverted ? ALL_LEVELS & ~chosen : chosen
}

/** The names of what a table chooses, for a person: `mail: crit, alert, emerg`. One line per facility. */
export function shownBits(bits: Uint8Array): string[] {
  const lines: string[] = []
  for (let code = 0; code < FACILITIES.length; code++) {
    const chosen = LEVEL_WORDS.slice(0, 8).filter((_, level) => (bits[code]! >>> level) & 1)
    if (chosen.length > 0) lines.push(`${FACILITIES[code]}: ${chosen.join(', ')}`)
  }
  return lines
}
