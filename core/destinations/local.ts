// From options to a destination on this host: pipe, program, socket, terminal, users, nothing.

import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import { SYSTEM_SESSIONS } from '../platform/sessions.ts'
import type { Spool } from '../spool/spool.ts'
import { ConsoleOutlet } from './console.ts'
import type { Destination } from './destination.ts'
import { destinationName } from './destination-name.ts'
import { DiscardOutlet } from './discard.ts'
import { RawMessages } from './line-maker.ts'
import { lineMaker } from './line-options.ts'
import { LoadLimit } from './load-limit.ts'
import { localIdentity } from './local-identity.ts'
import type { LocalOptions } from './options.ts'
import type { Outlet } from './outlet.ts'
import { OutletDestination, savedByShaper } from './outlet-destination.ts'
import { PipeOutlet } from './pipe.ts'
import { ProgramOutlet } from './program.ts'
import { messageSelects } from './selector-selects.ts'
import type { SharedRecords } from './shared-records.ts'
import { UnixDatagramOutlet } from './unix-datagram.ts'
import { UnixStreamOutlet } from './unix-stream.ts'
import { UsersOutlet } from './users.ts'
import { minutesAtZone } from './zones.ts'

export interface LocalWorld {
  readonly spool: Spool
  /** One for all destinations of a spool. */
  readonly records: SharedRecords
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
}

function outletOf(options: LocalOptions, { log, metrics, clock }: LocalWorld): Outlet {
  if ('discard' in options) return new DiscardOutlet()
  const lines = lineMaker(options.format, minutesAtZone(options.zone))
  if ('pipe' in options) return new PipeOutlet(options.pipe, lines)
  if ('program' in options) return new ProgramOutlet(options.program, lines)
  if ('unix' in options) return new UnixDatagramOutlet(options.unix, options.format === undefined ? new RawMessages() : lines, metrics)
  if ('unix-stream' in options) return new UnixStreamOutlet(options['unix-stream'], lines)
  if ('console' in options) return new ConsoleOutlet(options.console, lines, log, metrics)
  const users = { users: options.users, sessions: SYSTEM_SESSIONS, devices: '/dev' }
  return new UsersOutlet(users, lines, metrics, clock)
}

/**
 * Attaches to the spool under a name made from what it leads to, so that its cursor outlives a change of the order and of what selects.
 * @param selects in place of the options' own `select` and `when`
 */
export function makeLocalDestination(options: LocalOptions, world: LocalWorld, selects = messageSelects(options)): Destination {
  const { spool, records, log, metrics, clock } = world
  const { kind, identity } = localIdentity(options)
  const attachment = spool.attach(destinationName(kind, identity), true)
  const limit = 'limit' in options ? options.limit : undefined
  const shaper = limit === undefined ? undefined : new LoadLimit(limit, selects, savedByShaper(attachment), metrics)
  return new OutletDestination(outletOf(options, world), selects, records, spool, attachment, log, metrics, clock, shaper)
}
