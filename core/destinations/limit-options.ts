// How many messages a destination takes, as the configuration writes it.

import { z } from 'zod'
import { optionalOption, textOption } from '../base/option-kinds.ts'
import { readLevels } from '../syslog/levels.ts'

export const LIMIT_PER = ['program', 'host', 'rule'] as const
export type LimitPer = (typeof LIMIT_PER)[number]

/** So many messages in so many seconds. */
export interface Rate {
  readonly text: string
  readonly messages: number
  readonly seconds: number
}

const COUNT_MAX = 1_000_000
const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600 }

/** Reads `200/s`, `1000/min` or `50/h`. */
export function readRate(text: string): { value: Rate } | { reason: string } {
  const match = /^\s*(\d{1,7})\s*\/\s*(s|min|h)\s*$/.exec(text)
  if (match === null) return { reason: 'not a number, a slash, and s, min or h' }
  const messages = Number(match[1])
  if (messages < 1 || messages > COUNT_MAX) return { reason: `not from 1 to ${COUNT_MAX}` }
  return { value: { text: `${messages}/${match[2]}`, messages, seconds: UNIT_SECONDS[match[2]!]! } }
}

const rateOption = textOption<Rate>({ sense: 'What may come in the long run', allowed: 'a rate such as 200/s, 1000/min or 50/h' }, readRate)
const levelsOption = textOption<string>(
  { sense: 'Levels that are limited, and no others', allowed: 'levels such as "info..debug"' },
  (text) => {
    const result = readLevels(text)
    return result.kind === 'bits' ? { value: text } : { reason: result.reason }
  },
)

export const limitOption = z
  .strictObject({
    per: z
      .enum(LIMIT_PER)
      .default('program')
      .describe('What has a rate of its own: each program of each host, each host, or the rule (all that goes there); default program'),
    rate: optionalOption(rateOption),
    burst: z.int().min(1).max(COUNT_MAX).optional().describe('How many may come at once: a number; default that of the rate'),
    levels: levelsOption
      .default('warning..debug')
      .describe('Levels that are limited: such as "info..debug"; default warning..debug, so errors and worse always pass'),
    sample: z
      .int()
      .min(2)
      .max(COUNT_MAX)
      .optional()
      .describe('Of what is over the rate, one in so many passes; without a rate, of all: a number; default none'),
  })
  .refine((limit) => limit.rate !== undefined || limit.sample !== undefined, {
    message: 'neither rate nor sample, so nothing would be limited',
  })
  .refine((limit) => limit.burst === undefined || limit.rate !== undefined, { message: 'a burst without a rate' })
  .optional()
  .describe(
    'How many messages are taken, the rest being counted and told: a mapping with rate or sample, optionally per, burst, levels; default all',
  )

export type LimitOption = NonNullable<z.infer<typeof limitOption>>
