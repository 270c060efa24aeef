// Where rules lead: each place once, however many rules name it, and under which name its cursor stands.

import * as fs from 'node:fs'
import { formatAddress } from '../base/address.ts'
import { compileRule, type Rule } from '../pipeline/rules.ts'
import { destinationName } from './destination-name.ts'
import type { FilesOption } from './files-options.ts'
import { localIdentity } from './local-identity.ts'
import type { LocalOptions } from './options.ts'
import type { RuleOptions } from './rule-options.ts'
import type { RuleTo } from './rule-to.ts'

export type TargetOptions = FilesOption | LocalOptions | Extract<RuleTo, { kind: 'forward' }>

export interface RuleTarget {
  /** Of its cursor. */
  readonly name: string
  /** For people: `file /var/log/messages`. */
  readonly label: string
  readonly options: TargetOptions
}

export interface PlannedRules {
  /** Their destinations are indexes of `targets`. */
  readonly rules: readonly Rule[]
  readonly targets: readonly RuleTarget[]
}

export function planRules(options: readonly RuleOptions[]): PlannedRules {
  const targets = new Map<string, { index: number; target: RuleTarget }>()
  const rules = options.map((rule, at) => {
    const indexes = toListOf(rule).map((to) => {
      const target = targetOf(to, rule.format)
      const known = targets.get(target.name) ?? { index: targets.size, target }
      targets.set(target.name, known)
      return known.index
    })
    return compileRule(rule, at + 1, [...new Set(indexes)])
  })
  return { rules, targets: [...targets.values()].map(({ target }) => target) }
}

export function toListOf({ to }: Pick<RuleOptions, 'to'>): readonly RuleTo[] {
  return Array.isArray(to) ? to : [to]
}

/** @param format of the rule, which counts where `to` has none of its own */
export function targetOf(to: RuleTo, format: string | undefined): RuleTarget {
  const options = optionsOf(to, format)
  if ('files' in options) return { name: destinationName('files', options.files), label: `file ${options.files}`, options }
  if ('kind' in options) {
    const receivers = options.addresses.map(formatAddress)
    const name = destinationName('rule-forward', `${options.protocol} ${receivers.join(',')}`)
    return { name, label: `${receivers.join(', ')} by ${options.protocol}`, options }
  }
  const { kind, identity } = localIdentity(options)
  const label = kind === 'discard' ? 'nowhere (discard)' : identity === '*' ? 'everyone logged in' : `${kind} ${identity}`
  return { name: destinationName(kind, identity), label, options }
}

function optionsOf(to: RuleTo, ruleFormat: string | undefined): TargetOptions {
  if (to.kind === 'forward') return to
  const { options } = to
  // A socket for datagrams takes the message as it is, whatever form the rule has for lines.
  if ('discard' in options || ('unix' in options && options.format === undefined)) return options
  const format = options.format ?? ruleFormat
  if (!('files' in options)) return { ...options, format }
  const { files, zone, limit } = options
  if (files === '/dev/null') return { discard: true }
  return isTerminal(files) ? { console: files, format, zone, limit } : { ...options, format }
}

/** A path that syslogd would have taken for one: also where it is not there now, no file is made in its place. */
function isTerminal(path: string): boolean {
  if (/^\/dev\/(console$|tty|pts\/)/.test(path)) return true
  try {
    return fs.statSync(path).isCharacterDevice()
  } catch {
    return false
  }
}
