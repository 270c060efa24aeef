import { openFilesLimit } from '../core/daemon/open-files-limit.ts'
import type { Wanted } from '../core/destinations/destination-set.ts'
import { ForwardDestination } from '../core/destinations/forward.ts'
import { type RulesWorld, wantedOfRules } from '../core/destinations/rule-destinations.ts'
import { planRules } from '../core/destinations/rule-targets.ts'
import type { Identity } from '../core/identity/identity.ts'
import { describeCertificate } from '../core/transport/certificate.ts'
import type { AgentOptions } from './options.ts'

export const UPLINK = 'uplink'

export interface DeliveryWorld extends Omit<RulesWorld, 'openFilesLimit' | 'describeIdentity' | 'identity'> {
  readonly identity: () => Identity
}

/** The way to the relays, which takes everything, and beside it where the rules lead. */
export function wantedOf(options: AgentOptions, world: DeliveryWorld): Wanted[] {
  const { spool, log, metrics, clock, identity } = world
  const describeIdentity = (): string => describeCertificate(identity().facts)
  const relays = options.relays.map(({ address, pin }) => ({ ...address, pin }))
  const { balance, fail_back: failbackMs } = options
  const uplink: Wanted = {
    name: UPLINK,
    label: 'the way to the relays',
    parameters: { relays, balance, failbackMs },
    selects: undefined,
    make: () =>
      new ForwardDestination(
        { relays, balance, failbackMs, identity, describeIdentity },
        spool,
        // What is sent on but not yet synced is safe: FORMAT.md, Streams and sequences.
        spool.attach(UPLINK, false),
        log,
        metrics,
        clock,
      ),
  }
  const planned = planRules(options.rules)
  const files = planned.targets.filter((target) => 'files' in target.options).length
  const share = Math.max(16, Math.floor(openFilesLimit() / 2 / Math.max(1, files)))
  return [uplink, ...wantedOfRules(planned, { ...world, openFilesLimit: share, describeIdentity })]
}
