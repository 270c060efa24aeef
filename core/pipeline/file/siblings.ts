import * as fs from 'node:fs'
import * as path from 'node:path'
import { type FoundFile, findFile } from './generation.ts'

const SIBLINGS_LIMIT = 1000
const LOOKS_LIMIT = 50

// What logrotate, newsyslog and their like add to a name: a number or a date, or `old`. Compressed files end otherwise.
const ROTATED = /^(?:[.-]\d[\d:T_.-]{0,40}|\.old)$/

/** Whether `name` is what a rotation makes of `of`: `app.log.1`, `app.log-20260102` or, with the ending kept, `app-20260102.log`. */
export function isRotatedName(name: string, of: string): boolean {
  if (name.startsWith(of)) return ROTATED.test(name.slice(of.length))
  const ending = path.extname(of)
  const stem = of.slice(0, of.length - ending.length)
  if (ending === '' || !name.startsWith(stem) || !name.endsWith(ending)) return false
  return ROTATED.test(name.slice(stem.length, name.length - ending.length))
}

/**
 * The files beside `file` that a rotation of it has left, oldest first. Beyond a thousand, names that sort last are passed over.
 * A rotation may be under way, and a file that goes from one name to the next while names are looked up one by one can be missed under both:
 * who is taken for gone is taken for new later, and read again. So two listings have to agree.
 */
export function rotatedSiblings(file: string): FoundFile[] {
  return settled(() => listedSiblings(file), placesOf).seen
}

/** Looks until two looks in a row have seen the same, so that there was a moment at which all of it was true. */
export function settled<T>(look: () => T, inWords: (seen: T) => string): { readonly seen: T; readonly isSettled: boolean } {
  let words = inWords(look())
  for (let looks = 1; ; looks++) {
    const seen = look()
    const again = inWords(seen)
    if (again === words) return { seen, isSettled: true }
    if (looks >= LOOKS_LIMIT) return { seen, isSettled: false }
    words = again
  }
}

/** Which file stands at which place. */
export function placesOf(files: readonly FoundFile[]): string {
  return files.map(({ id, path }) => `${id} ${path}`).join('\n')
}

/** The same after one look, in which a file that is moved meanwhile can be missing. */
export function listedSiblings(file: string): FoundFile[] {
  const directory = path.dirname(file)
  const base = path.basename(file)
  let names: string[]
  try {
    names = fs.readdirSync(directory)
  } catch {
    return []
  }
  return names
    .filter((name) => isRotatedName(name, base))
    .sort()
    .slice(0, SIBLINGS_LIMIT)
    .flatMap((name) => findFile(path.join(directory, name)) ?? [])
    .sort((a, b) => order(a.bornNs, b.bornNs) || order(a.changedNs, b.changedNs))
}

function order(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Changes whenever a name in the directory of `file` does. */
export function directoryStamp(file: string): string {
  try {
    return String(fs.statSync(path.dirname(file), { bigint: true }).mtimeNs)
  } catch {
    return ''
  }
}
