import * as path from 'node:path'
import { errnoOf } from '../base/errors.ts'
import type { Files } from '../base/files.ts'

/** Makes the directory's own entry durable. Above a parent that only its owner may read, that is the owner's to do. */
export function syncParent(files: Files, directory: string): void {
  try {
    files.syncDirectory(path.dirname(directory))
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error
  }
}
