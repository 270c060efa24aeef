// Whether two paths with macros can make one and the same file. In doubt they can: what a macro stands for is taken a little too widely, never too narrowly.

import type { Template } from '../syslog/macros.ts'
import { checkedPath, checkedTemplate } from '../syslog/path-value.ts'
import { dateValueOf } from './dated-pattern.ts'

const DIGITS = '0123456789'
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** What pathValue leaves as it is, or makes of the rest. */
const ANY = `${LETTERS}${DIGITS}_.@+=,:~%-`

/** One character of a component, or any number of such. */
interface Atom {
  readonly characters: string
  readonly isRepeated: boolean
}

/** What a rotated file has behind its name; longer counters and further endings only make it wider. */
const GENERATION_ATOMS: readonly Atom[] = [one('.'), ...times(8, DIGITS), one('T'), ...times(6, DIGITS), one('Z'), many(`${DIGITS}-.gzst`)]

function one(characters: string): Atom {
  return { characters, isRepeated: false }
}

function many(characters: string): Atom {
  return { characters, isRepeated: true }
}

function times(count: number, characters: string): Atom[] {
  return Array.from({ length: count }, () => one(characters))
}

function atomsOf(part: Template['pieces'][number]): Atom[] {
  if ('literal' in part) return [...part.literal].map(one)
  switch (dateValueOf(part.name)) {
    case undefined:
      return [one(ANY), many(ANY)]
    case 'year':
      return times(4, DIGITS)
    case 'weekday':
      return times(3, LETTERS)
    case 'unixtime':
      return [one(DIGITS), many(DIGITS)]
    default:
      return times(2, DIGITS)
  }
}

/** Components from the root on. */
export type PathShape = readonly (readonly Atom[])[]

/** @param path one that the configuration has checked */
export function pathShape(path: string): PathShape {
  const { base, parts } = checkedPath(checkedTemplate(path))
  const fixed = base.split('/').filter((name) => name !== '')
  return [...fixed.map((name) => [...name].map(one)), ...parts.map((part) => part.flatMap(atomsOf))]
}

/** Whether a text is both. */
function meet(a: readonly Atom[], b: readonly Atom[]): boolean {
  const tried = new Set<number>()
  const waiting: Array<[number, number]> = [[0, 0]]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [i, j] = next
    if (i === a.length && j === b.length) return true
    const key = i * (b.length + 1) + j
    if (tried.has(key)) continue
    tried.add(key)
    const [left, right] = [a[i], b[j]]
    if (left?.isRepeated) waiting.push([i + 1, j])
    if (right?.isRepeated) waiting.push([i, j + 1])
    if (left === undefined || right === undefined || ![...left.characters].some((character) => right.characters.includes(character)))
      continue
    waiting.push([left.isRepeated ? i : i + 1, right.isRepeated ? j : j + 1])
  }
  return false
}

/** Whether there is a file, rotated or not, that both can make. */
export function canMakeTheSame(a: PathShape, b: PathShape): boolean {
  if (a.length !== b.length) return false
  return a.every((part, at) => {
    const other = b[at]!
    if (at < a.length - 1) return meet(part, other)
    return meet(part, other) || meet([...part, ...GENERATION_ATOMS], other) || meet(part, [...other, ...GENERATION_ATOMS])
  })
}
