import * as fs from 'node:fs'

const FALLBACK = 1024

/** How many descriptors this process may have open. */
export function openFilesLimit(): number {
  try {
    const match = /^Max open files\s+(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'latin1'))
    return match === null ? FALLBACK : Math.min(Number(match[1]), 65_536)
  } catch {
    return FALLBACK
  }
}
