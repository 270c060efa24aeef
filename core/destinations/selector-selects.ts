import { compileRule, selectorChooses } from '../pipeline/rules.ts'
import type { FilterOptions } from '../syslog/filter.ts'
import { MessageFields } from '../syslog/message-fields.ts'
import type { Selects } from './selects.ts'

/** What a destination's own `select` and `when` choose, which the options have checked. @returns undefined: everything */
export function messageSelects(words: {
  readonly select?: string | undefined
  readonly when?: FilterOptions | undefined
}): Selects | undefined {
  const { select, when } = words
  if (select === undefined && when === undefined) return undefined
  // Not as they come: a destination has a key `program` too.
  const rule = compileRule({ select, when }, 1, [])
  const { condition } = rule
  const message = new MessageFields()
  return {
    selects: (bytes, start, end, context) => {
      if (!selectorChooses(rule, bytes, start, end)) return false
      if (condition === undefined) return true
      message.begin(bytes, start, end)
      return condition.holds(message, context)
    },
  }
}

/** The same of a selector alone. */
export function selectorSelects(text: string | undefined): Selects | undefined {
  return messageSelects({ select: text })
}
