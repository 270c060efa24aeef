import { formatAddress } from '../core/base/address.ts'
import type { Clock } from '../core/base/clock.ts'
import type { Log } from '../core/base/log.ts'
import type { Metrics } from '../core/base/metrics.ts'
import { destinationName } from '../core/destinations/destination-name.ts'
import { FilesDestination } from '../core/destinations/files.ts'
import { ForeignForwardDestination } from '../core/destinations/foreign/foreign-forward.ts'
import { ForwardDestination } from '../core/destinations/forward.ts'
import type { Identity } from '../core/identity/identity.ts'
import type { Spool } from '../core/spool/spool.ts'
import { describeCertificate } from '../core/transport/certificate.ts'
import type { RelayOptions } from './options.ts'

/** What follows the spool, seen from the relay. */
export interface Destination {
  start(): void
  status(): Record<string, string | number>
  /** Over to a new connection within that time: our certificate is a new one. Where there is none, nothing. */
  moveWithin?(spreadMs: number): void
  /** Further certificates are revoked: the receiver's may be among them. */
  recheck?(): void
  /** Goes on until it is done or the signal says that time is up. */
  stop(deadline: AbortSignal): Promise<void>
  /** After the spool's last checkpoint. */
  close(): void
}

export interface DestinationWorld {
  readonly spool: Spool
  readonly identity: () => Identity
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  readonly openFilesLimit: number
}

/** Each attaches to the spool under a name made from what it leads to, so that its cursor outlives a change of the file's order. */
export function makeDestination(options: RelayOptions['destinations'][number], world: DestinationWorld): Destination {
  const { spool, log, metrics, clock } = world
  if ('files' in options) {
    const files = {
      template: options.files,
      modes: { file: options.file_mode, directory: options.directory_mode },
      openFilesLimit: world.openFilesLimit,
    }
    return new FilesDestination(files, spool, spool.attach(destinationName('files', options.files), true), log, metrics, clock)
  }
  const addresses = options.forward.map(({ address }) => formatAddress(address))
  const relays = options.forward.map(({ address, pin }) => ({ ...address, pin }))
  const { protocol, balance, plaintext, fail_back: failbackMs } = options
  const { identity } = world
  const describeIdentity = (): string => describeCertificate(identity().facts)
  const attachment = spool.attach(destinationName('forward', addresses.join(',')), true)
  if (protocol === 'loghop')
    return new ForwardDestination({ relays, balance, failbackMs, identity, describeIdentity }, spool, attachment, log, metrics, clock)
  const mayLeaveHost = plaintext === 'accepted'
  return new ForeignForwardDestination(
    { protocol, receivers: relays, balance, failbackMs, mayLeaveHost, identity, describeIdentity },
    spool,
    attachment,
    log,
    metrics,
    clock,
  )
}
