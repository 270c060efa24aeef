import { z } from 'zod'

const REPEATED = ['write', 'fold'] as const
export type RepeatedOption = (typeof REPEATED)[number]

/** Of files: fold-repeats.ts. */
export const repeatedOption = z
  .enum(REPEATED)
  .optional()
  .describe('What becomes of a message that its host says again: write, or fold to a line "last message repeated N times"; default write')
