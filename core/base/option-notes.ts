import { z } from 'zod'

/** What a fault's text says about an option, beside what its schema enforces. */
export interface OptionNotes {
  /** Completes "found X, allowed ...", with an example. */
  readonly allowed?: string
  /** On a mapping: keys of other versions, each with what to do without it. */
  readonly unavailable?: Readonly<Record<string, string>>
}

/** Notes follow a schema through `.describe()`, `.default()` and the like. */
export const optionNotes = z.registry<OptionNotes>()
