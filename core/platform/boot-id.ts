import * as fs from 'node:fs'

/** Names the time since the machine started; undefined where the system does not tell. */
export function bootId(): string | undefined {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim() || undefined
  } catch {
    return undefined
  }
}
