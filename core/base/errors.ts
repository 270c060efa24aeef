export interface ErrorOptionsWithCause {
  readonly cause?: unknown
}

/**
 * A failure a person can mend: a stable code, one sentence (what failed, found, expected) and one remedy in the imperative.
 * The sentence has no final full stop; `explain()` joins both.
 */
export class LoghopError extends Error {
  readonly code: string
  readonly remedy: string

  constructor(code: string, sentence: string, remedy: string, options: ErrorOptionsWithCause = {}) {
    super(sentence, options)
    this.name = 'LoghopError'
    this.code = code
    this.remedy = remedy
  }
}

/** The text for a person: sentence and remedy, or the bare message of an error that carries none. Never a stack trace. */
export function explain(error: unknown): string {
  if (error instanceof LoghopError) return `${error.message}\n  ${error.remedy}`
  if (error instanceof Error) return error.message
  return String(error)
}

/** The errno name (`ENOSPC`) of a system error, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined
}
