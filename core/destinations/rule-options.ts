// A rule as it stands in agent.yaml and relay.yaml: what it chooses, in syslog.conf's words and beyond, and where that goes.

import { z } from 'zod'
import { optionalOption, textOption } from '../base/option-kinds.ts'
import { optionNotes } from '../base/option-notes.ts'
import { hostsOption, programsOption, whenOption } from '../pipeline/choice-options.ts'
import { compileFilter } from '../syslog/filter.ts'
import { compileSelector, faultText } from '../syslog/selector.ts'
import { DIALECTS } from '../syslog/selector-names.ts'
import { lineOptions } from './line-options.ts'
import { TO_ALLOWED, toOption } from './rule-to.ts'

const NAME_MAX_CHARACTERS = 64

/** One item of `rules`. */
export const ruleOption = z
  .strictObject({
    name: optionalOption(
      textOption<string>(
        { sense: 'What explain and status call it', allowed: `1 to ${NAME_MAX_CHARACTERS} printable characters` },
        (text) =>
          /^[^\p{C}]+$/u.test(text) && text.length <= NAME_MAX_CHARACTERS ? { value: text } : { reason: 'not printable, or too long' },
      ),
    ),
    select: z.string().register(optionNotes, { allowed: 'selectors of syslog.conf such as "*.err;mail.none"' }).optional(),
    dialect: z.enum(DIALECTS).default('linux').describe('Whose syslog.conf the selectors are of: linux, freebsd or openbsd; default linux'),
    program: optionalOption(programsOption),
    host: optionalOption(hostsOption),
    when: whenOption.optional(),
    to: z.union([toOption, z.array(toOption).min(1)]).register(optionNotes, { allowed: TO_ALLOWED }),
    format: lineOptions.format,
    stop: z.boolean().default(false).describe('Whether no later rule sees what this one chose: true or false; default false'),
  })
  .superRefine((rule, context) => {
    // These two need the dialect, which stands beside them.
    if (rule.select !== undefined) {
      const result = compileSelector(rule.select, rule.dialect)
      if (result.kind === 'malformed')
        for (const fault of result.faults) context.addIssue({ code: 'custom', path: ['select'], message: faultText(fault) })
    }
    if (rule.when === undefined) return
    const result = compileFilter(rule.when, rule.dialect)
    if (result.kind === 'malformed')
      for (const { path, reason } of result.faults) context.addIssue({ code: 'custom', path: ['when', ...path], message: reason })
  })

export type RuleOptions = z.infer<typeof ruleOption>

/** A configuration of which only the rules matter, whatever else is in it. */
export const rulesDocument = z.looseObject({ rules: z.array(ruleOption) })
