// Why a message goes where it goes, rule by rule.

import type { Condition } from '../syslog/condition.ts'
import { isMark, MARK_PRI } from '../syslog/mark.ts'
import { type MessageContext, MessageFields } from '../syslog/message-fields.ts'
import { FACILITIES, SEVERITIES } from '../syslog/priority.ts'
import { type Rule, selectorChooses } from './rules.ts'

export interface ExplainedRule {
  readonly name: string
  /** `not reached` when an earlier rule stopped the walk. */
  readonly verdict: 'matches' | 'does not match' | 'not reached'
  /** In words, what it was decided by. */
  readonly reason: string
  readonly destinations: readonly number[]
}

export interface Explanation {
  /** `authpriv.info from web01, program sshd`. */
  readonly message: string
  readonly rules: readonly ExplainedRule[]
  /** Each once, in the order of the rules. */
  readonly destinations: readonly number[]
}

/** Explains one canonical RFC 5424 message. */
export function explain(rules: readonly Rule[], line: Uint8Array, context: MessageContext): Explanation {
  const message = new MessageFields()
  message.begin(line, 0, line.length)
  message.locate()
  const isOfMark = message.pri === MARK_PRI && isMark(line, 0, line.length)
  const priority = `${isOfMark ? 'mark' : FACILITIES[message.pri >>> 3]}.${SEVERITIES[message.pri & 7]}`
  const program = message.field(message.appStart, message.appEnd)
  const destinations = new Set<number>()
  let stoppedBy: string | undefined
  const explained = rules.map((rule): ExplainedRule => {
    if (stoppedBy !== undefined) return { name: rule.name, verdict: 'not reached', reason: `${stoppedBy} has stop: true`, destinations: [] }
    const failure = failureOf(rule, message, context, priority)
    if (failure !== undefined) return { name: rule.name, verdict: 'does not match', reason: failure, destinations: [] }
    for (const destination of rule.destinations) destinations.add(destination)
    if (rule.stop) stoppedBy = rule.name
    return { name: rule.name, verdict: 'matches', reason: successOf(rule, priority), destinations: rule.destinations }
  })
  return {
    message: `${priority} from ${context.host === '' ? 'no known host' : context.host}${program === '' ? '' : `, program ${program}`}`,
    rules: explained,
    destinations: [...destinations],
  }
}

/** The explanation as lines for a person. @param nameOf a destination, as the person wrote it */
export function explanationLines(explanation: Explanation, nameOf: (destination: number) => string): string[] {
  const goes = explanation.destinations.map(nameOf)
  return [
    explanation.message,
    ...explanation.rules.map(({ name, verdict, reason, destinations }) => {
      const to = destinations.length === 0 ? '' : ` -> ${destinations.map(nameOf).join(', ')}`
      return `  ${name} ${verdict}: ${reason}${to}`
    }),
    goes.length === 0 ? 'goes nowhere by these rules' : `goes to ${goes.join(', ')}`,
  ]
}

function failureOf(rule: Rule, message: MessageFields, context: MessageContext, priority: string): string | undefined {
  if (!selectorChooses(rule, message.bytes, message.start, message.end)) return `${shownSelect(rule)} does not choose ${priority}`
  return rule.condition === undefined ? undefined : whyNot(rule.condition, message, context)
}

/** The innermost part that decided against it. */
function whyNot(condition: Condition, message: MessageFields, context: MessageContext): string | undefined {
  if (condition.holds(message, context)) return undefined
  if (condition.how === 'all')
    for (const part of condition.parts) {
      const why = whyNot(part, message, context)
      if (why !== undefined) return why
    }
  if (condition.how === 'any') return `none holds of ${condition.text}`
  return condition.how === 'not' ? `it is so that ${condition.parts[0]!.text}` : `not so: ${condition.text}`
}

function successOf(rule: Rule, priority: string): string {
  const selected = `${shownSelect(rule)} chooses ${priority}`
  return rule.condition === undefined ? selected : `${selected}, and ${rule.condition.text}`
}

function shownSelect({ words: { select, when, dialect } }: Rule): string {
  const parts = [select ?? '*.*']
  for (const key of ['facility', 'level'] as const) {
    const written = when?.[key]
    if (written !== undefined) parts.push(`${key} ${typeof written === 'string' ? written : written.join(',')}`)
  }
  return `${parts.join(' with ')}${dialect === undefined || dialect === 'linux' ? '' : ` (${dialect})`}`
}
