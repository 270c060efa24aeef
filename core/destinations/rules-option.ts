import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { optionNotes } from '../base/option-notes.ts'
import { filesOption } from './files-options.ts'
import { type ListedFiles, overlapsOf } from './overlapping-files.ts'
import { type RuleOptions, ruleOption } from './rule-options.ts'
import { type RuleTarget, targetOf, toListOf } from './rule-targets.ts'
import type { RuleTo } from './rule-to.ts'

/** Each may be tried for each message. */
const RULES_MAX = 1000

/** Where one rule leads. */
interface LedTo {
  /** In `rules`, from 0. */
  readonly at: number
  readonly rule: string
  readonly to: RuleTo
  readonly target: RuleTarget
}

function ledToBy(rules: readonly RuleOptions[]): LedTo[] {
  return rules.flatMap((rule, at) =>
    toListOf(rule).map((to) => ({
      at,
      rule: rule.name === undefined ? `rules[${at}]` : `rules[${at}] (${rule.name})`,
      to,
      target: targetOf(to, rule.format),
    })),
  )
}

/** The files among the places that rules lead to. */
export function filesOfRules(rules: readonly RuleOptions[]): Array<ListedFiles & { readonly at: number }> {
  return ledToBy(rules).flatMap(({ at, rule, target: { options } }) => ('files' in options ? [{ at, place: rule, options }] : []))
}

/** Keys that two have differently. */
function differencesOf(one: object, other: object): string[] {
  const [a, b] = [withFormat(one), withFormat(other)]
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => !isDeepStrictEqual(a[key], b[key]))
}

/** Lines have the usual form where none is given; a datagram is the message as it is. */
function withFormat(options: object): Record<string, unknown> {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  return 'unix' in options ? given : { format: 'rfc3339', ...given }
}

/** What the path of a terminal, or /dev/null, cannot have. */
function uselessOf({ to, target }: LedTo): string[] {
  if (to.kind !== 'file' || 'files' in target.options) return []
  const used = 'console' in target.options ? ['format', 'zone', 'limit'] : ['format']
  return differencesOf(to.options, filesOption.parse({ files: to.options.files })).filter((key) => !used.includes(key))
}

/** `rules` of either daemon. */
export const rulesOption = z
  .array(ruleOption)
  .max(RULES_MAX)
  .default([])
  .superRefine((rules, context) => {
    const seen = new Map<string, LedTo>()
    for (const led of ledToBy(rules)) {
      const useless = uselessOf(led)
      if (useless.length > 0) {
        const message = `${led.rule} leads to ${led.target.label}, no plain file, so it has no ${useless.join(', ')}`
        context.addIssue({ code: 'custom', path: [led.at, 'to'], message })
      }
      const before = seen.get(led.target.name)
      if (before === undefined) {
        seen.set(led.target.name, led)
        continue
      }
      const different = differencesOf(before.target.options, led.target.options)
      if (different.length === 0) continue
      const who = before.at === led.at ? `${led.rule} leads twice` : `${before.rule} and ${led.rule} both lead`
      const message = `${who} to ${led.target.label}, with different ${different.join(', ')}; give both the same`
      context.addIssue({ code: 'custom', path: [led.at, 'to'], message })
    }
    for (const { one, message } of overlapsOf(filesOfRules(rules))) context.addIssue({ code: 'custom', path: [one.at, 'to'], message })
  })
  .register(optionNotes, { allowed: 'a list of rules such as { select: "*.err;mail.none", to: /var/log/messages }' })
  .describe(
    'What goes to local files, terminals, users, pipes, programs and other receivers, in the words of syslog.conf: a list of rules; default none',
  )
