import * as fs from 'node:fs'
import * as path from 'node:path'
import { type FoundFile, findFile } from './generation.ts'

const SIBLINGS_LIMIT = 1000
const LISTINGS_LIMIT = 50

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
  let siblings = listSiblings(file)
  for (let listings = 1; listings < LISTINGS_LIMIT; listings++) {
    const again = listSiblings(file)
    const isSame =
      again.length === siblings.length && again.every(({ path, id }, at) => path === siblings[at]!.path && id === siblings[at]!.id)
    siblings = again
    if (isSame) break
  }
  return siblings.sort((a, b) => order(a.bornNs, b.bornNs) || order(a.changedNs, b.changedNs))
}

function listSiblings(file: string): FoundFile[] {
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
