import { nodeFiles } from '../core/base/files.ts'
import type { Act } from './acts.ts'
import { Journal } from './journal.ts'

/** All acts from the first. @throws {LoghopError} PKI_READ, PKI_JOURNAL */
export function historyOf(directory: string): Act[] {
  const acts: Act[] = []
  const journal = new Journal(
    directory,
    nodeFiles,
    (act) => acts.push(act),
    () => acts.splice(0),
  )
  journal.read()
  return acts
}
