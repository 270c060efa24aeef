import { formatAddress } from '../core/base/address.ts'
import type { Clock } from '../core/base/clock.ts'
import type { Log } from '../core/base/log.ts'
import type { Metrics } from '../core/base/metrics.ts'
import { openFilesLimit } from '../core/daemon/open-files-limit.ts'
import type { Destination } from '../core/destinations/destination.ts'
import { destinationName } from '../core/destinations/destination-name.ts'
import type { Wanted } from '../core/destinations/destination-set.ts'
import { ForeignForwardDestination } from '../core/destinations/foreign/foreign-forward.ts'
import { ForwardDestination } from '../core/destinations/forward.ts'
import { makeLocalDestination } from '../core/destinations/local.ts'
import { localIdentity } from '../core/destinations/local-identity.ts'
import { makeFilesDestination, ownersOf } from '../core/destinations/make-files.ts'
import { wantedOfRules } from '../core/destinations/rule-destinations.ts'
import { planRules } from '../core/destinations/rule-targets.ts'
import { messageSelects } from '../core/destinations/selector-selects.ts'
import type { Selects } from '../core/destinations/selects.ts'
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

type DestinationOptions = RelayOptions['destinations'][number]

/** Of its cursor, made from what it leads to, so that it outlives a change of everything else. */
export function cursorOf(options: DestinationOptions): string {
  if ('files' in options) return destinationName('files', options.files)
  if ('forward' in options) return destinationName('forward', options.forward.map(({ address }) => formatAddress(address)).join(','))
  const { kind, identity } = localIdentity(options)
  return destinationName(kind, identity)
}

/** As rules are told: what it leads to, for people. */
export function labelOf(options: DestinationOptions): string {
  if ('files' in options) return `files ${options.files}`
  if ('forward' in options) return `forward ${options.forward.map(({ address }) => formatAddress(address)).join(', ')}`
  const { kind, identity } = localIdentity(options)
  return `${kind} ${identity}`
}

export function wantedOf(options: RelayOptions, world: Omit<DestinationWorld, 'openFilesLimit'>): Wanted[] {
  const planned = planRules(options.rules)
  const files = [...options.destinations, ...planned.targets.map((target) => target.options)].filter((one) => 'files' in one).length
  const openFilesShare = Math.max(16, Math.floor(openFilesLimit() / 2 / Math.max(1, files)))
  const { identity } = world
  const describeIdentity = (): string => describeCertificate(identity().facts)
  const ruled = wantedOfRules(planned, { ...world, openFilesLimit: openFilesShare, describeIdentity })
  const listed = options.destinations.map((destination): Wanted => {
    const fixed = { ...destination, select: undefined, when: undefined }
    return {
      name: cursorOf(destination),
      label: labelOf(destination),
      parameters: fixed,
      selects: messageSelects(destination),
      check: () => {
        if ('files' in destination) ownersOf(destination)
      },
      make: (selects) => makeDestination(fixed, { ...world, openFilesLimit: openFilesShare }, selects),
    }
  })
  return [...listed, ...ruled]
}

function makeDestination(options: DestinationOptions, world: DestinationWorld, selects: Selects | undefined): Destination {
  const { spool, log, metrics, clock } = world
  if ('files' in options) return makeFilesDestination(options, world, selects)
  if (!('forward' in options)) return makeLocalDestination(options, world, selects)
  const relays = options.forward.map(({ address, pin }) => ({ ...address, pin }))
  const { protocol, framing, balance, plaintext, fail_back: failbackMs } = options
  const { identity } = world
  const describeIdentity = (): string => describeCertificate(identity().facts)
  const attachment = spool.attach(cursorOf(options), true)
  if (protocol === 'loghop')
    return new ForwardDestination({ relays, balance, failbackMs, identity, describeIdentity }, spool, attachment, log, metrics, clock)
  const mayLeaveHost = plaintext === 'accepted'
  return new ForeignForwardDestination(
    { protocol, framing, receivers: relays, balance, failbackMs, mayLeaveHost, identity, describeIdentity },
    spool,
    attachment,
    log,
    metrics,
    clock,
    selects === undefined ? undefined : { selects, contextOf: (bytes, head, end) => world.records.contextOf(bytes, head, end) },
  )
}
