import { z } from 'zod'
import { optionNotes } from '../base/option-notes.ts'
import type { SyslogFraming } from './syslog-framing.ts'

const FRAMINGS = ['octet-counted', 'lines'] as const satisfies readonly SyslogFraming[]
const allowed = 'octet-counted, or lines that end in LF, with syslog-tls and tcp'

export const framingOption = z
  .enum(FRAMINGS)
  .optional()
  .register(optionNotes, { allowed })
  .describe(`How the receivers tell messages apart: ${allowed}; default octet-counted`)

/** Why a framing cannot be chosen beside that protocol; undefined when it can, or none is. */
export function framingFault(protocol: string, framing: SyslogFraming | undefined): string | undefined {
  if (framing === undefined || protocol === 'syslog-tls' || protocol === 'tcp') return undefined
  return `${protocol} has frames of its own; leave it out`
}
