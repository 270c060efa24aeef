import * as fs from 'node:fs'
import * as path from 'node:path'

/** Everything below a directory but what `without` names, with kind, mode, size and target: what must not have changed. */
export function treeOf(directory: string, without: readonly string[] = []): string[] {
  const found: string[] = []
  const walk = (place: string): void => {
    for (const name of fs.readdirSync(path.join(directory, place)).sort()) {
      const inside = path.join(place, name)
      if (without.includes(inside)) continue
      const stat = fs.lstatSync(path.join(directory, inside))
      const target = stat.isSymbolicLink() ? ` -> ${fs.readlinkSync(path.join(directory, inside))}` : ''
      const content = stat.isFile() ? ` ${fs.readFileSync(path.join(directory, inside)).toString('base64url').slice(0, 400)}` : ''
      found.push(`${inside} ${stat.mode.toString(8)} ${stat.isFile() ? stat.size : ''}${target}${content}`)
      if (stat.isDirectory()) walk(inside)
    }
  }
  walk('')
  return found
}

/** Paths of all plain files below a directory. */
export function filesBelow(directory: string): string[] {
  if (!fs.existsSync(directory)) return []
  return fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort()
}
