import { z } from 'zod'
import { optionNotes } from '../base/option-notes.ts'
import { ruleOption } from '../pipeline/rule-options.ts'
import { toListOf } from './rule-targets.ts'

/** Each may be tried for each message. */
const RULES_MAX = 1000

/** `rules` of either daemon. */
export const rulesOption = z
  .array(ruleOption)
  .max(RULES_MAX)
  .default([])
  .superRefine((rules, context) => {
    const seen = new Map<string, { at: number; format: string | undefined }>()
    for (const [at, rule] of rules.entries())
      for (const to of toListOf(rule)) {
        if (['unix', 'forward', 'discard'].includes(to.kind)) continue
        const place = to.kind === 'file' ? to.path : JSON.stringify(to)
        const before = seen.get(place)
        if (before === undefined) seen.set(place, { at, format: rule.format })
        else if (before.format !== rule.format) {
          const message = `rules[${before.at}] writes to the same place in the format ${before.format ?? 'rfc3339'}; give both the same`
          context.addIssue({ code: 'custom', path: [at], message })
        }
      }
  })
  .register(optionNotes, { allowed: 'a list of rules such as { select: "*.err;mail.none", to: /var/log/messages }' })
  .describe(
    'What goes to local files, terminals, users, pipes, programs and other receivers, in the words of syslog.conf: a list of rules; default none',
  )
