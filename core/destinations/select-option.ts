// Which messages go to a destination, as the configuration writes it.

import { optionalOption, textOption } from '../base/option-kinds.ts'
import { optionNotes } from '../base/option-notes.ts'
import { whenOption as filterOption } from '../pipeline/choice-options.ts'
import { compileFilter } from '../syslog/filter.ts'
import { compileSelector, faultText } from '../syslog/selector.ts'

/** Read and checked; it is compiled where it is used. */
const selectOption = optionalOption(
  textOption(
    { sense: 'Which messages go there; default all', allowed: 'a selector as in syslog.conf, such as "*.notice;mail.none"' },
    (text) => {
      const result = compileSelector(text)
      return result.kind === 'selector' ? { value: text } : { reason: result.faults.map(faultText).join('; ') }
    },
  ),
)

const whenAllowed = 'a mapping of tests such as { program: sshd, level: warning..emerg }'
const whenOption = filterOption
  .superRefine((when, context) => {
    const result = compileFilter(when)
    if (result.kind === 'malformed')
      for (const { path, reason } of result.faults) context.addIssue({ code: 'custom', path: [...path], message: reason })
  })
  .register(optionNotes, { allowed: whenAllowed })
  .optional()
  .describe(`What a message must be besides, as in rules: ${whenAllowed}; default nothing`)

/** Keys that every destination has which takes message by message. */
export const selectOptions = { select: selectOption, when: whenOption } as const
