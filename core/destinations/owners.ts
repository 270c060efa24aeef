import * as fs from 'node:fs'
import { LoghopError } from '../base/errors.ts'

const FILE_LIMIT_BYTES = 4 << 20

/**
 * The number of a user or group: itself, or as /etc/passwd or /etc/group has it.
 * @throws {LoghopError} there is none of that name
 */
export function ownerNumber(name: string | undefined, kind: 'user' | 'group'): number | undefined {
  if (name === undefined || /^\d{1,10}$/.test(name)) return name === undefined ? undefined : Number(name)
  const file = kind === 'user' ? '/etc/passwd' : '/etc/group'
  if (fs.statSync(file).size <= FILE_LIMIT_BYTES) {
    for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
      const fields = line.split(':')
      if (fields[0] === name && /^\d+$/.test(fields[2] ?? '')) return Number(fields[2])
    }
  }
  throw new LoghopError(
    'OWNER',
    `Cannot give files to the ${kind} ${name}: ${file} has none of that name`,
    `Add the ${kind}, or write its number`,
  )
}
