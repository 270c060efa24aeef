import { formatAddress } from '../core/base/address.ts'
import type { Clock } from '../core/base/clock.ts'
import type { Log } from '../core/base/log.ts'
import type { Metrics } from '../core/base/metrics.ts'
import type { Destination } from '../core/destinations/destination.ts'
import { destinationName } from '../core/destinations/destination-name.ts'
import { ForeignForwardDestination } from '../core/destinations/foreign/foreign-forward.ts'
import { ForwardDestination } from '../core/destinations/forward.ts'
import { makeLocalDestination } from '../core/destinations/local.ts'
import { makeFilesDestination } from '../core/destinations/make-files.ts'
import { messageSelects } from '../core/destinations/selector-selects.ts'
import type { SharedRecords } from '../core/destinations/shared-records.ts'
import type { Identity } from '../core/identity/identity.ts'
import type { Spool } from '../core/spool/spool.ts'
import { describeCertificate } from '../core/transport/certificate.ts'
import type { RelayOptions } from './options.ts'

export interface DestinationWorld {
  readonly spool: Spool
  readonly records: SharedRecords
  readonly identity: () => Identity
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  readonly openFilesLimit: number
}

/** Each attaches to the spool under a name made from what it leads to, so that its cursor outlives a change of the file's order. */
export function makeDestination(options: RelayOptions['destinations'][number], world: DestinationWorld): Destination {
  const { spool, log, metrics, clock } = world
  if ('files' in options) return makeFilesDestination(options, world)
  if (!('forward' in options)) return makeLocalDestination(options, world)
  const addresses = options.forward.map(({ address }) => formatAddress(address))
  const relays = options.forward.map(({ address, pin }) => ({ ...address, pin }))
  const { protocol, balance, plaintext, fail_back: failbackMs } = options
  const { identity } = world
  const describeIdentity = (): string => describeCertificate(identity().facts)
  const attachment = spool.attach(destinationName('forward', addresses.join(',')), true)
  if (protocol === 'loghop')
    return new ForwardDestination({ relays, balance, failbackMs, identity, describeIdentity }, spool, attachment, log, metrics, clock)
  const selects = messageSelects(options)
  const mayLeaveHost = plaintext === 'accepted'
  return new ForeignForwardDestination(
    { protocol, receivers: relays, balance, failbackMs, mayLeaveHost, identity, describeIdentity },
    spool,
    attachment,
    log,
    metrics,
    clock,
    selects === undefined ? undefined : { selects, contextOf: (bytes, head) => world.records.contextOf(bytes, head) },
  )
}
