// Facilities and levels as filters list them: `mail, news` and `warning..emerg`.

import { nearest } from '../base/nearest.ts'
import { ALL_LEVELS, ANY_LEVEL, FACILITY_WORDS, facilityOf, LEVEL_WORDS, levelOf, MARK, NO_LEVEL } from './selector-names.ts'

export type BitsResult = { kind: 'bits'; bits: number } | { kind: 'malformed'; reason: string }

const LEVELS = LEVEL_WORDS.filter((word) => /^[a-z]{3,}$/.test(word) && word !== 'none')

/** Reads levels with commas between them, `*` for all; `warning..emerg` and `emerg..warning` are both ends and all between. One alone is that one only. */
export function readLevels(text: string): BitsResult {
  let bits = 0
  for (const part of text.split(',')) {
    const ends = part.split('..').map((word) => word.trim())
    const codes = ends.map(levelOf)
    const wrong = ends.find((_, at) => codes[at] === undefined || codes[at] === NO_LEVEL || (codes[at] === ANY_LEVEL && ends.length > 1))
    if (wrong !== undefined || ends.length > 2) return { kind: 'malformed', reason: unknownReason('level', wrong ?? part, LEVELS) }
    if (codes[0] === ANY_LEVEL) bits = ALL_LEVELS
    const low = Math.min(...(codes as number[]))
    const high = Math.max(...(codes as number[]))
    for (let level = low; level <= high && level < 8; level++) bits |= 1 << level
  }
  return { kind: 'bits', bits }
}

/** Reads facilities with commas between them, `*` for all. @returns a bit per facility */
export function readFacilityList(text: string): BitsResult {
  let bits = 0
  for (const part of text.split(',')) {
    const word = part.trim()
    if (word === '*') {
      bits = 0xffffff
      continue
    }
    const code = facilityOf(word, 'linux')
    if (code === undefined || code === MARK) return { kind: 'malformed', reason: unknownReason('facility', word, FACILITY_WORDS) }
    bits |= 1 << code
  }
  return { kind: 'bits', bits }
}

function unknownReason(what: string, word: string, known: readonly string[]): string {
  if (word === '') return `an empty ${what}`
  const meant = word.length < 2 ? undefined : nearest(word, known)
  return `unknown ${what} ${word}${meant === undefined ? '' : `, did you mean ${meant}?`}`
}
