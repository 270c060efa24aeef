import { isLoopback } from '../base/address.ts'
import { RuleList } from '../pipeline/rules.ts'
import type { TlsIdentity } from '../transport/tls-policy.ts'
import type { Destination } from './destination.ts'
import type { Wanted } from './destination-set.ts'
import { LinkOutlet } from './foreign/link-outlet.ts'
import { makeLocalDestination } from './local.ts'
import { type FilesWorld, makeFilesDestination, ownersOf } from './make-files.ts'
import { OutletDestination } from './outlet-destination.ts'
import { RoutedSelects } from './routed-selects.ts'
import type { PlannedRules, RuleTarget } from './rule-targets.ts'
import type { Selects } from './selects.ts'

export interface RulesWorld extends FilesWorld {
  readonly identity: () => TlsIdentity
  /** Our own certificate in words. */
  readonly describeIdentity: () => string
}

/** The destinations of rules, each of which is asked once for all of them. */
export function wantedOfRules({ rules, targets }: PlannedRules, world: RulesWorld): Wanted[] {
  const routed = new RoutedSelects(new RuleList(rules))
  return targets.map((target, number) => ({
    name: target.name,
    label: target.label,
    parameters: target.options,
    selects: routed.selectsFor(number),
    check: () => {
      if ('files' in target.options) ownersOf(target.options)
    },
    make: (selects) => makeTarget(target, world, selects),
  }))
}

function makeTarget({ name, options }: RuleTarget, world: RulesWorld, selects: Selects | undefined): Destination {
  if ('files' in options) return makeFilesDestination(options, world, selects)
  if (!('kind' in options)) return makeLocalDestination(options, world, selects)
  const { spool, records, log, metrics, clock, identity, describeIdentity } = world
  const { addresses: receivers, protocol, framing } = options
  const mayLeaveHost = receivers.some(({ host }) => !isLoopback(host))
  const outlet = new LinkOutlet({ protocol, framing, receivers, mayLeaveHost, identity, describeIdentity }, log, metrics, clock)
  return new OutletDestination(outlet, selects, records, spool, spool.attach(name, true), log, metrics, clock)
}
