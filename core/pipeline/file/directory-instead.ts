import * as fs from 'node:fs'
import { LoghopError } from '../../base/errors.ts'

/** Where a source of files names a directory, of which nothing would ever be read. */
export function directoryInstead(pattern: string): LoghopError | undefined {
  if (fs.statSync(pattern, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined
  return new LoghopError(
    'SOURCE',
    `Cannot read ${pattern} line by line: it is a directory`,
    `Name the files in it, such as ${pattern.replace(/\/*$/, '')}/*.log`,
  )
}
