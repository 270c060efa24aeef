// What becomes of old files whose path has a date in it, as the configuration writes it.

import { z } from 'zod'
import { optionalOption } from '../base/option-kinds.ts'
import { durationOption, sizeOption } from '../base/quantities.ts'

const KEEP_MAX = 1_000_000
const YEARS_MS = 100 * 366 * 86_400_000

export const expireOption = z
  .strictObject({
    keep: z.int().min(1).max(KEEP_MAX).optional().describe('Files that stay: a number; default all'),
    keep_for: optionalOption(durationOption({ sense: 'How long files stay after their last line', min: 60_000, max: YEARS_MS })),
    keep_size: optionalOption(sizeOption({ sense: 'Bytes that they may take in all', min: 1 << 10, max: 2 ** 50 })),
  })
  .refine((options) => Object.values(options).some((value) => value !== undefined), { message: 'it keeps everything' })
  .optional()
  .describe(
    'Which files stay of those whose paths differ in the date alone (of one host, say): a mapping with keep, keep_for or keep_size; for a path with macros of the date; default all',
  )

export type ExpireOption = NonNullable<z.infer<typeof expireOption>>
