// What the configurations of agent and relay have the same, and take over while they run.

import type { Address } from '../base/address.ts'
import type { Log, LogLevel } from '../base/log.ts'
import type { IdentityKeeper } from '../identity/keeper.ts'
import type { Compression, Intake } from '../pipeline/intake.ts'
import type { Spool } from '../spool/spool.ts'

interface CommonOptions {
  readonly authority?: Address | undefined
  readonly renew: boolean
  readonly revocation_interval: number
  readonly spool: { readonly limit: number; readonly compress: Compression }
  readonly log: { readonly level: LogLevel }
}

/** Paths that `takeOver` changes, and `stop_timeout`, which the daemon itself keeps. */
export const COMMON_RELOADED = [
  'authority',
  'renew',
  'revocation_interval',
  'spool.limit',
  'spool.compress',
  'log.level',
  'stop_timeout',
] as const

/** From now on these count. Cannot fail. */
export function takeOver(
  after: CommonOptions,
  world: {
    readonly spool: Spool
    readonly intake: Intake
    readonly log: Log
    readonly keeper: IdentityKeeper
  },
): void {
  world.spool.limitBytes = after.spool.limit
  world.intake.setCompression(after.spool.compress)
  world.log.setLevel(after.log.level)
  world.keeper.change({ authority: after.authority, renew: after.renew, listsEveryMs: after.revocation_interval })
}
