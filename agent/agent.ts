import * as os from 'node:os'
import { systemClock } from '../core/base/clock.ts'
import type { Log } from '../core/base/log.ts'
import { Metrics } from '../core/base/metrics.ts'
import { COMMON_RELOADED, takeOver } from '../core/daemon/common-reload.ts'
import type { Running } from '../core/daemon/lifecycle.ts'
import { openSpool } from '../core/daemon/open-spool.ts'
import { differences, Reload } from '../core/daemon/reload.ts'
import { statusSentence } from '../core/daemon/status-sentence.ts'
import { type StatusDocument, serveStatus } from '../core/daemon/status-socket.ts'
import { DestinationSet, replacedText } from '../core/destinations/destination-set.ts'
import { SharedRecords } from '../core/destinations/shared-records.ts'
import { IdentityKeeper } from '../core/identity/keeper.ts'
import type { PayloadReceiver } from '../core/pipeline/batch-builder.ts'
import { Intake } from '../core/pipeline/intake.ts'
import { Loss } from '../core/pipeline/loss.ts'
import { wantedOf } from './destinations.ts'
import { LocalSync } from './local-sync.ts'
import type { AgentOptions } from './options.ts'
import { Sources, type SourcesChanged, sourcesText } from './sources.ts'

/** HOSTNAME of this host's messages. */
export function hostnameOf(options: AgentOptions): string {
  return options.hostname ?? (os.hostname().replace(/[^\x21-\x7e]/g, '-') || '-')
}

/** What a reload can change; the rest needs a restart. */
const RELOADED = [...COMMON_RELOADED, 'rules', 'relays', 'balance', 'fail_back', 'sources']

/**
 * Starts the agent: spool, way to the relay, then the sources, so that nothing is taken in before there is a place for it.
 * @param read the configuration again
 * @throws {LoghopError} what cannot be opened; all that was opened before is closed again
 */
export async function startAgent(
  options: AgentOptions,
  log: Log,
  onFailure: (error: Error) => void,
  read: () => AgentOptions,
  progress?: (what: string) => void,
): Promise<Running> {
  const metrics = new Metrics()
  const clock = systemClock
  const keeping = {
    directory: options.identity,
    authority: options.authority,
    renew: options.renew,
    listsEveryMs: options.revocation_interval,
  }
  const keeper = new IdentityKeeper(
    keeping,
    {
      onIdentity: (_identity, isRenewed, spreadMs) => {
        if (isRenewed) destinations.moveWithin(spreadMs)
      },
      onRevoked: () => destinations.recheck(),
    },
    log,
    metrics,
    clock,
  )
  const { name } = keeper.identity
  const place = { directory: options.spool.directory, limitBytes: options.spool.limit }
  const { spool, health, close } = openSpool(place, log, metrics, clock, progress)
  const loss = new Loss(name, log, clock)
  const delivery = {
    spool,
    records: new SharedRecords(name, log, metrics),
    log,
    metrics,
    clock,
    identity: () => keeper.identity,
  }
  const destinations = new DestinationSet(wantedOf(options, delivery), spool, log)
  const syncing = new LocalSync(spool, clock)
  syncing.isWanted = options.rules.length > 0
  const intake = new Intake(spool, name, loss, metrics, options.spool.compress)
  const receiver: PayloadReceiver = (bytes, start, end, count, receivedUs) => intake.store(bytes, start, end, count, receivedUs)
  const hostname = hostnameOf(options)
  loss.recordWith((text) => intake.storeLoss(text, 'loghop-agent', hostname, clock))
  const world = { spoolDirectory: options.spool.directory, spool, intake, receiver, hostname, loss, metrics, log, clock, onFailure }
  const sources = new Sources(options.sources, world)
  let stopTimeoutMs = options.stop_timeout
  const reload = new Reload(
    options,
    {
      read,
      fixed: (before, after) => [...differences(before, after, RELOADED), ...sources.fixed(after.sources)],
      apply: async (after) => {
        const opened = await sources.prepare(after.sources)
        try {
          let changed: SourcesChanged | undefined
          const done = await destinations.replace(wantedOf(after, delivery), () => {
            changed = opened.commit()
            takeOver(after, { spool, intake, log, keeper })
            stopTimeoutMs = after.stop_timeout
          })
          syncing.isWanted = after.rules.length > 0
          return `${after.rules.length} rules, ${replacedText(done)}${sourcesText(changed!)}`
        } finally {
          opened.abort()
        }
      },
    },
    log,
  )
  const startedMs = clock.monotonicMs()
  const status = (): StatusDocument => ({
    program: 'agent',
    name,
    pid: process.pid,
    uptime_seconds: Math.round((clock.monotonicMs() - startedMs) / 1000),
    ...keeper.status(),
    problems: keeper.problems().map((problem) => `${problem.sentence}. ${problem.remedy}`),
    sources: sources.names,
    spool: { directory: options.spool.directory, used_bytes: spool.usedBytes, limit_bytes: spool.limitBytes },
    destinations: destinations.all.map((destination) => destination.status()),
    loss: loss.totals(),
    metrics: metrics.snapshot(),
  })
  let stopStatus: () => void
  try {
    await sources.start()
    stopStatus = await serveStatus(options.spool.directory, status, () => reload.request())
  } catch (error) {
    await sources.stop()
    loss.stop()
    syncing.stop()
    await destinations.stop(AbortSignal.abort())
    await close()
    destinations.close()
    throw error
  }
  destinations.start()
  keeper.start()
  log.info('started', `Agent ${name} takes messages from ${sources.names.join(', ')}`, { pid: process.pid })
  return {
    describe: () => statusSentence(status(), health.isFull),
    healthy: () => health.check(),
    reload: async () => {
      keeper.reload()
      destinations.reopen()
      await reload.request()
    },
    reopen: () => destinations.reopen(),
    get stopTimeoutMs() {
      return stopTimeoutMs
    },
    stop: async (deadline) => {
      keeper.stop()
      stopStatus()
      await sources.stop()
      loss.stop()
      syncing.stop()
      try {
        // Local destinations are shown only what is durable.
        await spool.commit()
        await destinations.stop(deadline)
        await close()
      } finally {
        destinations.close()
      }
      log.info('stopped', 'Agent stopped', {
        stored: metrics.get('messagesStored'),
        forwarded: metrics.get('messagesForwarded'),
        lost: loss.total,
      })
    },
  }
}
