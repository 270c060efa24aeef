// Where rules lead: each place once, however many rules name it, and under which name its cursor stands.

import * as fs from 'node:fs'
import { formatAddress } from '../base/address.ts'
import type { RuleOptions, RuleTo } from '../pipeline/rule-options.ts'
import { compileRule, type Rule } from '../pipeline/rules.ts'
import { destinationName } from './destination-name.ts'
import { type FilesOption, filesOption } from './files-options.ts'
import { localIdentity } from './local-identity.ts'
import type { LocalOptions } from './options.ts'

export type TargetOptions = FilesOption | LocalOptions | Extract<RuleTo, { kind: 'forward' }>

export interface RuleTarget {
  /** Of its cursor. */
  readonly name: string
  /** For people: `file /var/log/messages`. */
  readonly label: string
  readonly options: TargetOptions
  readonly format: string | undefined
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

export function targetOf(to: RuleTo, format: string | undefined): RuleTarget {
  const options = optionsOf(to, format)
  if ('files' in options) return { name: destinationName('files', options.files), label: `file ${options.files}`, options, format }
  if ('kind' in options) {
    const receivers = options.addresses.map(formatAddress)
    const name = destinationName('rule-forward', `${options.protocol} ${receivers.join(',')}`)
    return { name, label: `${receivers.join(', ')} by ${options.protocol}`, options, format: undefined }
  }
  const { kind, identity } = localIdentity(options)
  const label = kind === 'discard' ? 'nowhere (discard)' : identity === '*' ? 'everyone logged in' : `${kind} ${identity}`
  return { name: destinationName(kind, identity), label, options, format: kind === 'unix' ? undefined : format }
}

function optionsOf(to: RuleTo, format: string | undefined): TargetOptions {
  switch (to.kind) {
    case 'file':
      if (to.path === '/dev/null') return { discard: true }
      if (isTerminal(to.path)) return { console: to.path }
      return filesOption.parse({ files: to.path, format, repeated: to.repeated })
    case 'pipe':
      return { pipe: to.path }
    case 'program':
      return { program: to.command }
    case 'unix':
      return { unix: to.path }
    case 'unix-stream':
      return { 'unix-stream': to.path }
    case 'users':
      return { users: [...to.names] }
    case 'everyone':
      return { users: ['*'] }
    case 'discard':
      return { discard: true }
    case 'forward':
      return to
    default:
      return to satisfies never
  }
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
