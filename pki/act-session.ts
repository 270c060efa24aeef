import type { NewAct } from './acts.ts'
import type { AuthorityDirectory } from './directory.ts'
import type { State } from './state.ts'

/** One act under the lock: what it may look at, and how it becomes true. */
export interface ActSession {
  readonly state: State
  readonly directory: AuthorityDirectory
  /** One moment for the whole act. */
  readonly nowMs: number
  /**
   * The line is on disk when this returns, and in `state`.
   * @param by who, when it is not the one who opened the authority
   * @throws {LoghopError} PKI_WRITE; then nothing happened
   */
  append(act: NewAct, by?: string): void
}
