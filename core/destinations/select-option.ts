import { optionalOption, textOption } from '../base/option-kinds.ts'
import { compileSelector, faultText } from '../syslog/selector.ts'

/** Read and checked; it is compiled where it is used. */
export const selectOption = optionalOption(
  textOption(
    { sense: 'Which messages go there; default all', allowed: 'a selector as in syslog.conf, such as "*.notice;mail.none"' },
    (text) => {
      const result = compileSelector(text)
      return result.kind === 'selector' ? { value: text } : { reason: result.faults.map(faultText).join('; ') }
    },
  ),
)
